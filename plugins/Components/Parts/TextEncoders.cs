using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Encoders;

namespace ModelZoo.Plugins.Components.Parts;

/// <summary>Text encoders as models of their own.</summary>
internal static class TextEncoders
{
    public static IReadOnlyList<ModelArchitecture> Architectures { get; } =
    [
        NetworkPart.Architecture("components/clip-text", "Learning Transferable Visual Models From Natural Language Supervision", "github.com/huggingface/transformers", Modality.Tensors, ClipTextPart),
        NetworkPart.Architecture("components/t5-encoder", "Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer", "github.com/huggingface/transformers", Modality.Tensors, T5Part),
        NetworkPart.Architecture("components/umt5", "UniMax: Fairer and More Effective Language Sampling for Large-Scale Multilingual Pretraining", "github.com/huggingface/transformers", Modality.Tensors, T5Part),
        NetworkPart.Architecture("components/gemma-2", "Gemma 2: Improving Open Language Models at a Practical Size", "github.com/huggingface/transformers", Modality.Tensors, Gemma2Part),
    ];

    private static readonly Dim Batch = Dim.Symbol("batch"), Length = Dim.Symbol("length");

    private static NetworkPart ClipTextPart(ModelSource source, Checkpoint checkpoint)
    {
        var config = PublishedConfig.Read<ClipTextConfig>(source.RequireFolder()).Value;
        var network = Network.Build(NetworkContext.Of(source, checkpoint), "clip text encoder", scope =>
        {
            var text = ClipText.Encode(scope, scope.Graph.Input("input_ids", ElementType.Int64, [Batch, Length]), config);
            scope.Graph.Output("last_hidden_state", text.LastHiddenState);
            scope.Graph.Output("penultimate", text.Penultimate);
            scope.Graph.Output("pooler_output", text.Pooled);
            if (scope.Has("text_projection.weight")) scope.Graph.Output("text_embeds", ClipText.Project(scope, text.Pooled, config.ProjectionDim));
        });
        return Encoder(checkpoint, network, "input_ids");
    }

    private static NetworkPart T5Part(ModelSource source, Checkpoint checkpoint)
    {
        var config = PublishedConfig.Read<T5Config>(source.RequireFolder()).Value;
        return Masked(source, checkpoint, "t5 encoder", (scope, ids, mask) => T5Encoder.Encode(scope, ids, config, mask).LastHiddenState);
    }

    private static NetworkPart Gemma2Part(ModelSource source, Checkpoint checkpoint)
    {
        var config = PublishedConfig.Read<Gemma2Config>(source.RequireFolder()).Value;
        return Masked(source, checkpoint, "gemma 2", (scope, ids, mask) => Gemma2.Encode(scope["model"], ids, config, mask).LastHiddenState);
    }

    private static NetworkPart Masked(ModelSource source, Checkpoint checkpoint, string name, Func<Scope, Value, Value, Value> encode)
    {
        var network = Network.Build(NetworkContext.Of(source, checkpoint), name, scope => scope.Graph.Output("last_hidden_state",
            encode(scope, scope.Graph.Input("input_ids", ElementType.Int64, [Batch, Length]), scope.Graph.Input("attention_mask", ElementType.Int64, [Batch, Length]))));
        return Encoder(checkpoint, network, "input_ids", "attention_mask");
    }

    private static NetworkPart Encoder(Checkpoint checkpoint, Network network, params string[] inputs) =>
        new(checkpoint, new Dictionary<string, PartCall> { ["encode"] = NetworkPart.Forward(network, inputs) }, network);
}
