using System.Runtime.CompilerServices;

namespace ModelZoo.Contracts;

/// <summary>Reads a data set's published layout.</summary>
public interface IDatasetReader
{
    /// <summary>Name of the layout, such as <c>folder-of-audio</c>.</summary>
    string Name { get; }

    /// <summary>What its examples hold.</summary>
    Modality Gives { get; }

    /// <summary>True when the path looks like this layout; looks at names only, not into files.</summary>
    bool CanRead(string path);

    /// <summary>Number of examples, where that is known without reading them all.</summary>
    int? Count(string path);

    /// <summary>The examples in a fixed order.</summary>
    /// <exception cref="ModelZooException">The files break the layout's rules (<see cref="ErrorCodes.DatasetInvalid"/>).</exception>
    IAsyncEnumerable<Example> ReadAsync(string path, IMediaReader media, CancellationToken cancel = default);

    /// <summary>The example at each place, or null where it is not wanted. The default reads all of them; a reader that can pass over an example unread says so here.</summary>
    /// <exception cref="ModelZooException">The files break the layout's rules (<see cref="ErrorCodes.DatasetInvalid"/>).</exception>
    async IAsyncEnumerable<Example?> ReadAsync(string path, IMediaReader media, Predicate<int> wanted, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var ordinal = 0;
        await foreach (var example in ReadAsync(path, media, cancel).ConfigureAwait(false)) yield return wanted(ordinal++) ? example : null;
    }
}

/// <summary>Reads media files; the host offers it to data set readers and plugins.</summary>
public interface IMediaReader
{
    /// <summary>True when files with this extension are read.</summary>
    bool CanRead(string path);

    /// <summary>The media in a file.</summary>
    /// <exception cref="MediaException">The file is broken or of an unknown format.</exception>
    ValueTask<Media> ReadAsync(string path, CancellationToken cancel = default);
}
