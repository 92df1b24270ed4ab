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
        // A whole CLIP model has the settings of its text encoder in a section.
        var section = PublishedConfig.ReadJson(source.RequireFolder()).ContainsKey("text_config") ? "text_config" : null;
        var config = PublishedConfig.Read<ClipTextConfig>(source.RequireFolder(), section).Value;
        var networks = new NetworkCache<bool>(masked => Network.Build(NetworkContext.Of(source, checkpoint), "clip text encoder", scope =>
        {
            var ids = scope.Graph.Input("input_ids", ElementType.Int64, [Batch, Length]);
            var text = ClipText.Encode(scope, ids, config, masked ? scope.Graph.Input("attention_mask", ElementType.Int64, [Batch, Length]) : null);
            scope.Graph.Output("last_hidden_state", text.LastHiddenState);
            scope.Graph.Output("penultimate", text.Penultimate);
            scope.Graph.Output("pooler_output", text.Pooled);
            if (scope.Has("text_projection.weight")) scope.Graph.Output("text_embeds", ClipText.Project(scope, text.Pooled, config.ProjectionDim));
        }));
        return new(checkpoint, new Dictionary<string, PartCall>
        {
            ["encode"] = (arguments, cancel) => arguments.Has("attention_mask")
                ? NetworkPart.Forward(networks[true], "input_ids", "attention_mask")(arguments, cancel)
                : NetworkPart.Forward(networks[false], "input_ids")(arguments, cancel),
        }, networks) { Generates = ClipEmbedding.Find(source.RequireFolder(), config, () => networks[false]) };
    }

    private static NetworkPart T5Part(ModelSource source, Checkpoint checkpoint)
    {
        var config = PublishedConfig.Read<T5Config>(source.RequireFolder()).Value;
        return Masked(source, checkpoint, "t5 encoder", (scope, ids, mask) => T5Encoder.Encode(scope, ids, config, mask).LastHiddenState);
    }

    private static NetworkPart Gemma2Part(ModelSource source, Checkpoint checkpoint)
    {
        var config = PublishedConfig.Read<Gemma2Config>(source.RequireFolder()).Value;
        return Masked(source, checkpoint, "gemma 2", (scope, ids, mask) => Gemma2.Encode(scope["model"].Exists ? scope["model"] : scope, ids, config, mask).LastHiddenState);
    }

    private static NetworkPart Masked(ModelSource source, Checkpoint checkpoint, string name, Func<Scope, Value, Value, Value> encode)
    {
        var network = Network.Build(NetworkContext.Of(source, checkpoint), name, scope => scope.Graph.Output("last_hidden_state",
            encode(scope, scope.Graph.Input("input_ids", ElementType.Int64, [Batch, Length]), scope.Graph.Input("attention_mask", ElementType.Int64, [Batch, Length]))));
        return new(checkpoint, new Dictionary<string, PartCall>
        {
            ["encode"] = async (arguments, cancel) =>
            {
                var ids = arguments.Tensor("input_ids");
                return (await network.RunAsync(cancel, ("input_ids", ids), ("attention_mask", arguments.FindTensor<long>("attention_mask") ?? Ones(ids.Shape))).ConfigureAwait(false)).ToResults();
            },
        }, network);
    }

    private static Tensor<long> Ones(ReadOnlySpan<long> shape)
    {
        var ones = Tensor.Zeros<long>(shape);
        ones.Span.Fill(1);
        return ones;
    }
}
