// SETRec (see SetRecModel.cs) with T5: the encoder reads the prompt, the decoder turns learned queries into an item's vectors at once. github.com/Linxyhaha/SETRec (code/model_t5.py, code/Q_t5.py)
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Encoders;

namespace ModelZoo.Plugins.Recommenders;

internal static class SetRecT5Network
{
    public static void Build(Scope t5, T5Config config, SetRecConfig set)
    {
        var g = t5.Graph;
        var (h, mask) = SetRecNetwork.Prompt(t5["shared"], config.VocabSize, set, (int)config.DModel);
        var real = mask.Cast(ElementType.Float32).Unsqueeze(-1);
        t5.Stage("encoder_input", h * real);
        var positions = g.Input("positions", ElementType.Int64, [h.Shape[1]]);
        t5.Stage("encoder_position_bias", Bias(t5["encoder"], positions.Unsqueeze(0) - positions.Unsqueeze(1), config, bidirectional: true));
        var states = T5Encoder.EncodeEmbeddings(t5, h, config, mask, positions).LastHiddenState;
        t5.Stage("encoder_last_hidden_state", states * real);

        // Every query has the bias of distance 0, and one more to itself: the authors' decoder adds its mask's ones, it does not hide the others.
        var zero = g.Constant<long>(new long[set.NQuery * set.NQuery], set.NQuery, set.NQuery);
        var bias = Bias(t5["decoder"], zero, config, bidirectional: false);
        t5.Stage("decoder_position_bias", bias);
        var range = AttentionLayers.Range(g, set.NQuery);
        bias += range.Unsqueeze(0).Same(range.Unsqueeze(1)).Cast(ElementType.Float32);
        var queries = t5["decoder.query_emb"].Weight("weight", set.NQuery, config.DModel).Unsqueeze(0).Expand(h.Shape[0], set.NQuery, config.DModel);
        var output = T5Decoder.DecodeEmbeddings(t5, queries, states, mask, config, bias: bias);
        g.Output("query_output", output);
        g.Output("scores", SetRecNetwork.Scores(output, set));
    }

    private static Value Bias(Scope stack, Value relative, T5Config config, bool bidirectional) =>
        stack["block.0.layer.0.SelfAttention.relative_attention_bias"].T5Bias(relative, config.NumHeads, config.RelativeAttentionNumBuckets, config.RelativeAttentionMaxDistance, bidirectional);
}

/// <summary>SETRec with T5.</summary>
public sealed class SetRecT5Model : SetRecModel
{
    private readonly Network _network;
    private readonly bool _bfloat16;

    private SetRecT5Model(string folder, T5Config config, SetRecConfig set, Checkpoint checkpoint, NetworkContext context) : base(folder, set, (int)config.DModel, checkpoint, context)
    {
        _network = Network.Build(context, "setrec t5", scope => SetRecT5Network.Build(scope, config, set));
        _bfloat16 = checkpoint.Get("decoder.query_emb.weight").Type == ElementType.BFloat16;
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "recommenders/setrec",
            Paper = "Order-agnostic Identifier for Large Language Model-based Generative Recommendation",
            ArXiv = "2502.10833",
            Authors = ["Xinyu Lin", "Haihan Shi", "Wenjie Wang", "Fuli Feng", "Qifan Wang", "See-Kiong Ng", "Tat-Seng Chua"],
            Repository = "Linxyhaha/SETRec",
            CodeLicense = "none stated",
            Inputs = [Modality.Items],
            Outputs = [Modality.Items],
            Layouts = ["T5: config.json + model.safetensors, adapter.pth, setrec.json, NAME.emb-t5-tdcb.npy"],
            Sizes = [new("Linxyhaha/SETRec: T5-small", 60_509_184, [])],
            Deviations = "The prompt's token ids are in setrec.json.",
        },
        (source, _) =>
        {
            var folder = source.RequireFolder();
            var checkpoint = PublishedFiles.Open(source, "model.safetensors", "adapter.pth");
            return ValueTask.FromResult<IModel>(new SetRecT5Model(folder, PublishedConfig.Read<T5Config>(folder).Value, PublishedConfig.Read<SetRecConfig>(Path.Combine(folder, "setrec.json")).Value, checkpoint, NetworkContext.Of(source, checkpoint)));
        });

    /// <inheritdoc/>
    protected override Network LanguageModel => _network;

    // The weights are a parameter of the authors' model and take its type: rounded, halves to even, in a bfloat16 checkpoint.
    private protected override float HeldWeight(double weight)
    {
        if (!_bfloat16) return (float)weight;
        var bits = BitConverter.SingleToUInt32Bits((float)weight);
        return BitConverter.UInt32BitsToSingle((bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000);
    }

    // The tokens of an item share a position; the words after the items go on with their plain place.
    private protected override IEnumerable<(string Name, Tensor Tensor)> Places(int instruction, int response, Tensor<long> itemMask)
    {
        var items = (int)itemMask.Shape[1];
        yield return ("positions", Tensor.Create([.. Enumerable.Range(0, instruction + items + response).Select(place => (long)Position(place, instruction, items, Config.NQuery))], instruction + items + response));
    }

    internal static int Position(int place, int instruction, int items, int perItem) =>
        place >= instruction && place < instruction + items ? instruction + (place - instruction) / perItem : place;
}
