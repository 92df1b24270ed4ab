namespace ModelZoo.Host.Demo;

/// <summary>A part of <c>modelzoo demo</c>: shows one model on a sample.</summary>
internal interface IDemoStep
{
    /// <summary>What it shows, in a few words.</summary>
    string Title { get; }

    /// <summary>Runs the model and tells what came out.</summary>
    /// <exception cref="Contracts.ModelZooException">The model or its sample cannot be had.</exception>
    Task<DemoSection> RunAsync(DemoContext context, CancellationToken cancel);
}

/// <summary>What a step works with.</summary>
/// <param name="Root">Folder of the manifest, where samples are.</param>
/// <param name="Output">Folder for files beside the page.</param>
/// <param name="Say">Tells what is going on.</param>
internal sealed record DemoContext(string Root, string Output, Action<string> Say);

/// <summary>A section of the page.</summary>
/// <param name="Title">Its heading.</param>
/// <param name="Summary">One line for the terminal.</param>
/// <param name="Html">Its content; everything embedded.</param>
internal sealed record DemoSection(string Title, string Summary, string Html);
