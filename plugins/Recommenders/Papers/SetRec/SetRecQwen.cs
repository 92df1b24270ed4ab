// SETRec (see SetRecModel.cs) with Qwen2: items hide their tokens from one another, queries stand at the end and do not see each other. github.com/Linxyhaha/SETRec (code/model_qwen.py, code/Q_qwen.py)
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.LanguageModels;

namespace ModelZoo.Plugins.Recommenders;

internal static class SetRecQwenNetwork
{
    public static void Build(Scope root, LlamaConfig config, SetRecConfig set)
    {
        var (g, model) = (root.Graph, root["model"]);
        var (prompt, mask) = SetRecNetwork.Prompt(model["embed_tokens"], config.VocabSize, set, config.HiddenSize);
        var batch = prompt.Shape[0];
        var queries = root["query"].Weight("weight", set.NQuery, config.HiddenSize).Unsqueeze(0).Expand(batch, set.NQuery, config.HiddenSize);
        var h = ValueShape.Concat(1, prompt, queries);
        var length = h.Shape[1];
        mask = ValueShape.Concat(1, mask, g.Scalar(ElementType.Int64, 1).Expand(batch, set.NQuery));
        var real = mask.Cast(ElementType.Float32).Unsqueeze(-1);
        root.Stage("llm_input", h * real);

        var positions = g.Input("positions", ElementType.Int64, [1, length]);
        var allowed = g.Input("allowed", ElementType.Int64, [1, 1, length, length]) * mask.Unsqueeze(1, 2);                  // (B, 1, T, T)
        root.Stage("position_ids", positions);
        root.Stage("attention_mask", allowed);
        var bias = AttentionMasks.Where(allowed);
        // The authors' own mask stands in for the published one, its window too.
        var output = Llama.Decode(model, h, config, positions, (_, q, k, v, options) => AttentionLayers.Attention(q, k, v, options with { Causal = false, Window = null, Bias = bias }), real).Last(1, set.NQuery);
        g.Output("query_output", output);
        g.Output("scores", SetRecNetwork.Scores(output, set));
    }
}

/// <summary>SETRec with Qwen2.</summary>
public sealed class SetRecQwenModel : SetRecModel
{
    private readonly Network _network;

    private SetRecQwenModel(string folder, LlamaConfig config, SetRecConfig set, Checkpoint checkpoint, NetworkContext context) : base(folder, set, config.HiddenSize, checkpoint, context) =>
        _network = Network.Build(context, "setrec qwen", scope => SetRecQwenNetwork.Build(scope, config, set));

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        SetRecT5Model.Architecture.Card with
        {
            Id = "recommenders/setrec-qwen",
            Sizes = [new("Linxyhaha/SETRec: Qwen2.5-1.5B", 1_543_721_984, [])],
            Layouts = ["Qwen2: config.json + model.safetensors (LoRA merged), adapter.pth, setrec.json, NAME.emb-qwen-tdcb.npy"],
        },
        (source, _) =>
        {
            var folder = source.RequireFolder();
            var checkpoint = PublishedFiles.Open(source, "model.safetensors", "adapter.pth");
            return ValueTask.FromResult<IModel>(new SetRecQwenModel(folder, PublishedConfig.Read<LlamaConfig>(folder).Value, PublishedConfig.Read<SetRecConfig>(Path.Combine(folder, "setrec.json")).Value, checkpoint, NetworkContext.Of(source, checkpoint)));
        });

    /// <inheritdoc/>
    protected override Network LanguageModel => _network;

    // Causal; within the items only earlier items and the token itself; a query sees all before the queries and itself.
    private protected override IEnumerable<(string Name, Tensor Tensor)> Places(int instruction, int response, Tensor<long> itemMask)
    {
        var (items, perItem) = ((int)itemMask.Shape[1], Config.NQuery);
        var length = instruction + items + response + perItem;
        var (positions, allowed) = (Tensor.Zeros<long>(1, length), Tensor.Zeros<long>(1, 1, length, length));
        int? Item(int place) => place >= instruction && place < instruction + items ? (place - instruction) / perItem : null;
        for (var query = 0; query < length; query++)
        {
            positions[0, query] = SetRecT5Model.Position(query, instruction, items, perItem);
            for (var key = 0; key <= query; key++)
            {
                var together = Item(query) is { } item && Item(key) == item || key >= length - perItem;
                allowed[0, 0, query, key] = key == query || !together ? 1 : 0;
            }
        }

        yield return ("positions", positions);
        yield return ("allowed", allowed);
    }
}
