using ModelZoo.Contracts;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

/// <summary>What makes a class-conditional paper a model.</summary>
/// <param name="Name">Name of the network, for messages.</param>
/// <param name="Output">What its prediction is called.</param>
/// <param name="Sample">Extents (C, H, W) of what it takes.</param>
/// <param name="Classes">Number of classes; the null class comes after them.</param>
/// <param name="Process">How its time and prediction are meant.</param>
/// <param name="Build">Scope, x, t and y to the prediction.</param>
internal sealed record ClassArchitecture(string Name, string Output, long[] Sample, int Classes, ClassProcess Process, Func<Scope, Value, Value, Value, Value> Build)
{
    /// <summary>The published dictionaries that may hold the weights, the best first.</summary>
    public string[] Keys { get; init; } = ["ema", "model"];

    /// <summary>Published names that only training uses, as regular expressions.</summary>
    public string[] TrainingOnly { get; init; } = [];

    /// <summary>Opens the published weights with the calls of the authors' code.</summary>
    public ValueTask<IModel> OpenAsync(ModelSource source, Func<ClassNetwork, PublishedModel.ReferenceCall> calls) => OpenAsync(source, (network, _) => calls(network));

    /// <summary>The same, for calls that build further networks.</summary>
    public ValueTask<IModel> OpenAsync(ModelSource source, Func<ClassNetwork, NetworkContext, PublishedModel.ReferenceCall> calls) => Weights.Guarded(source.OpenCheckpoint(Keys), checkpoint =>
    {
        var context = NetworkContext.Of(source, checkpoint);
        var network = ClassNetwork.Build(context, Name, Output, Sample, Build);
        Inference.TensorSources.ThrowIfUnused(checkpoint, TrainingOnly);
        var decoder = VaeDecoder.For(new(source), (int)Sample[0]);
        var generator = new ClassGenerator<ClassOptions>(network.SampleShape, (_, _) => network.PredictAsync, Process, ClassNames.Read(source.RequireFolder(), Classes), decoder);
        return new([checkpoint], [network, decoder], calls(network, context), generator);
    });
}
