using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Encoders;

namespace ModelZoo.Plugins.Components.Parts;

/// <summary>The evaluator of text-to-motion models, with the authors' order of results: by decreasing motion length.</summary>
internal static class MotionEvaluator
{
    private const string File = "text_mot_match/model/finest.tar";

    public static ModelArchitecture Architecture { get; } = NetworkPart.Architecture(
        "metrics/t2m-evaluator", "Generating Diverse and Natural 3D Human Motions from Text", "github.com/EricGuo5513/text-to-motion", Modality.Tensors,
        source => Checkpoint.Open([.. new[] { "movement_encoder", "text_encoder", "motion_encoder" }.Select(key =>
            new Inference.CheckpointPart(Path.Combine(source.RequireFolder(), source.Parts.Count > 0 ? source.Parts[0].File : File), key, key + "."))]),
        Open);

    private static NetworkPart Open(ModelSource source, Checkpoint checkpoint)
    {
        var context = NetworkContext.Of(source, checkpoint);
        var features = checkpoint.Get("movement_encoder.main.0.weight").Shape[1] + 4;
        var (words, tags) = (checkpoint.Get("text_encoder.pos_emb.weight").Shape[0], checkpoint.Get("text_encoder.pos_emb.weight").Shape[1]);
        var (batch, length) = (Dim.Symbol("batch"), Dim.Symbol("length"));
        var motion = Network.Build(context, "motion encoder", scope =>
        {
            var movement = TextMotionEvaluator.Movements(scope["movement_encoder"], scope.Graph.Input("motion", [batch, length * 4, features]));
            scope.Graph.Output("movement", movement);
            scope.Graph.Output("motion_embedding", TextMotionEvaluator.Motion(scope["motion_encoder"], movement, scope.Graph.Input("lengths", ElementType.Int64, [batch])));
        });
        var text = Network.Build(context, "text encoder", scope => scope.Graph.Output("text_embedding", TextMotionEvaluator.Text(
            scope["text_encoder"], scope.Graph.Input("words", [batch, length, words]), scope.Graph.Input("tags", [batch, length, tags]), scope.Graph.Input("lengths", ElementType.Int64, [batch]))));
        return new(checkpoint, new Dictionary<string, PartCall>
        {
            ["motion_embeddings"] = async (arguments, cancel) => (await MotionAsync(motion, arguments, cancel).ConfigureAwait(false)).Results,
            ["co_embeddings"] = async (arguments, cancel) =>
            {
                var (results, order) = await MotionAsync(motion, arguments, cancel).ConfigureAwait(false);
                var texts = await text.RunAsync(cancel, ("words", arguments.Tensor("word_embeddings")), ("tags", arguments.Tensor("pos_onehot")), ("lengths", arguments.Tensor("caption_lengths"))).ConfigureAwait(false);
                return results.Add("text_embedding", Reorder(texts["text_embedding"], order));
            },
        }, motion, text);
    }

    private static async Task<(CallResults Results, int[] Order)> MotionAsync(Network network, CallArguments arguments, CancellationToken cancel)
    {
        var lengths = arguments.Tensor<long>("motion_lengths").Span.ToArray();
        // numpy sorts upwards; the authors turn that around.
        int[] order = [.. Enumerable.Range(0, lengths.Length).OrderBy(i => lengths[i]).Reverse()];
        var snippets = Tensor.Create([.. order.Select(i => lengths[i] / 4)], order.Length);
        var outputs = await network.RunAsync(cancel, ("motion", Reorder(arguments.Tensor<float>("motion"), order)), ("lengths", snippets)).ConfigureAwait(false);
        return (outputs.ToResults().Add("order", Tensor.Create([.. order.Select(i => (long)i)], order.Length)), order);
    }

    private static Tensor<float> Reorder(Tensor<float> x, int[] order)
    {
        var result = Tensor.Zeros<float>(x.Shape);
        for (var i = 0; i < order.Length; i++) x.Slice(order[i]).Span.CopyTo(result.Slice(i).Span);
        return result;
    }
}
