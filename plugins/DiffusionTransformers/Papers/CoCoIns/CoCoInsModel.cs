// Consistent Subject Generation via Contrastive Instantiated Concepts. Hsin-Ying Lee, Kelvin C.K. Chan, Ming-Hsuan Yang. arXiv:2503.24387. No public code.
// Layout (by specification): mapping.safetensors (mapping.*) beside the text encoder's model.safetensors and config.json, with Stable Diffusion's unet, vae, scheduler and tokenizer in folders beside them. Deviations: one text encoder, not SDXL's two.
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Diffusion;
using ModelZoo.Networks.Encoders;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Text;

namespace ModelZoo.Plugins.DiffusionTransformers.CoCoIns;

/// <summary>A code becomes a pseudo-word, which goes into the prompt before the noun of its subject.</summary>
internal static class CoCoInsNetwork
{
    /// <summary>Codes (B, S, Z) to pseudo-words (B, S, D): the code at unit length per number, then linear maps with SiLU between.</summary>
    public static Value Map(Scope mapping, Value codes)
    {
        var h = codes / (codes.Square().Mean(-1, keep: true) + 1e-8).Sqrt();
        for (var i = 0; mapping.Has($"{i}.weight"); i += 2)
        {
            if (i > 0) h = h.Silu();
            h = mapping[i].Linear(h, mapping[i].ShapeOf("weight")[0]);
        }

        return h;
    }

    /// <summary>Rows of the prompt and, behind them, of the pseudo-words, in the order of the longer prompt. prompt (B, N, D), words (B, S, D), order (B, N) -> (B, N, D).</summary>
    public static Value Insert(Value prompt, Value words, Value order) =>
        ValueShape.Concat(1, prompt, words).GatherElements(order.Unsqueeze(2).Expand([.. prompt.Shape]), 1);
}

/// <summary>CoCoIns: the same code gives the same subject.</summary>
public static class CoCoInsModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "diffusion-transformers/cocoins",
            Paper = "Consistent Subject Generation via Contrastive Instantiated Concepts",
            ArXiv = "2503.24387",
            Authors = ["Lee Hsin-Ying", "Kelvin C.K. Chan", "Ming-Hsuan Yang"],
            Inputs = [Modality.Text],
            Outputs = [Modality.Image],
            Layouts = ["by specification: mapping.safetensors beside a CLIP text encoder, alone or in a pipeline's folder"],
            Deviations = "One text encoder, not Stable Diffusion XL's two.",
        },
        OpenAsync);

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var root = source.RequireFolder();
        var pipeline = new PipelineFolder(source).Otherwise("text_encoder", root);
        var folder = pipeline.Find("text_encoder")!;
        var config = PublishedConfig.Read<ClipTextConfig>(folder).Value;
        return Weights.Guarded(Checkpoint.Open(Path.Combine(folder, "model.safetensors")), text =>
        {
            var mapping = Checkpoint.Open(Path.Combine(root, "mapping.safetensors"));
            // The specification's text encoder has no outer name.
            var calls = new CoCoInsCalls(NetworkContext.Of(source, ClipPrompts.Names.Apply(text)), NetworkContext.Of(source, mapping), config);
            if (pipeline.Find("unet") is null) return PublishedModel.Generating([text, mapping], [calls], calls.CallAsync, null);
            var (weights, unetConfig) = (pipeline.Base("unet"), PublishedConfig.Read<UNetConfig>(pipeline.Denoiser("unet").RequireFolder()).Value);
            var unet = new UNet.UNet(NetworkContext.Of(source, weights) with { Stages = false }, unetConfig);
            return PublishedModel.Generating([text, mapping, weights], [calls, unet], calls.CallAsync, CoCoInsPipeline.Open(pipeline, calls, unet));
        });
    }
}

/// <summary>The calls of the specification.</summary>
internal sealed class CoCoInsCalls : IDisposable
{
    private readonly Network _mapping, _encoder;
    private readonly ClipTextConfig _config;

    /// <summary>Builds the mapping and the text encoder.</summary>
    public CoCoInsCalls(NetworkContext text, NetworkContext mapping, ClipTextConfig config)
    {
        _config = config;
        CodeLength = mapping.Weights.Find("mapping.0.weight")?.Shape[1] ?? throw new CheckpointException(ErrorCodes.CheckpointMissing, "The mapping has no first layer.") { Where = mapping.Weights.Origin, Expected = "mapping.0.weight" };
        _mapping = Network.Build(mapping, "mapping", scope =>
        {
            var codes = scope.Graph.Input("codes", [Dim.Symbol("batch"), Dim.Symbol("subjects"), CodeLength]);
            scope.Graph.Output("pseudo_word", CoCoInsNetwork.Map(scope["mapping"], codes));
        });
        _encoder = Network.Build(text, "text encoder", scope => Declare(scope, config));
    }

    /// <summary>Runs a call.</summary>
    public Task<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel) => call switch
    {
        "encode_prompt" => EncodePromptAsync(arguments, cancel),
        _ => throw Calls.Unknown(call, "encode_prompt"),
    };

    /// <inheritdoc/>
    public void Dispose()
    {
        _mapping.Dispose();
        _encoder.Dispose();
    }

    /// <summary>Length of a code.</summary>
    public long CodeLength { get; }

    /// <summary>States of a prompt (1, N, D), with the pseudo-words of codes (1, S, Z) before the tokens at places (1, S).</summary>
    public async Task<Tensor<float>> EncodeAsync(Tensor<long> ids, Tensor<float> codes, Tensor<long> positions, CancellationToken cancel)
    {
        var words = (await _mapping.RunAsync(cancel, ("codes", codes)).ConfigureAwait(false))["pseudo_word"];
        return (await RunAsync(ids, words, positions, cancel).ConfigureAwait(false))["prompt_states"];
    }

    private Task<NetworkOutputs> RunAsync(Tensor<long> ids, Tensor<float> words, Tensor<long> positions, CancellationToken cancel)
    {
        var (order, end) = Order(ids, positions);
        return _encoder.RunAsync(cancel, ("input_ids", ids), ("words", words), ("order", order), ("end", end));
    }

    private async Task<CallResults> EncodePromptAsync(CallArguments arguments, CancellationToken cancel)
    {
        var ids = arguments.Tensor<long>("input_ids");
        var (results, subjects) = (new CallResults(), 0);
        var words = Tensor.Zeros<float>(ids.Shape[0], 0, _config.HiddenSize);
        var positions = Tensor.Zeros<long>(ids.Shape[0], 0);
        if (arguments.Literal("insert", true))
        {
            positions = arguments.Tensor<long>("positions");
            words = (await _mapping.RunAsync(cancel, ("codes", arguments.Tensor<float>("codes"))).ConfigureAwait(false))["pseudo_word"];
            subjects = (int)positions.Shape[1];
            results.Add("pseudo_word", words);
        }

        results.AddRange((await RunAsync(ids, words, positions, cancel).ConfigureAwait(false)).ToResults());
        return subjects > 0 ? results : results.Add("plain_states", results.Tensor("prompt_states"));
    }

    // Every pseudo-word stands directly before the token at its position of the original prompt; what no longer fits drops, and the end moves with the tail.
    private (Tensor<long> Order, Tensor<long> End) Order(Tensor<long> ids, Tensor<long> positions)
    {
        var (batch, length, subjects) = ((int)ids.Shape[0], (int)ids.Shape[1], (int)positions.Shape[1]);
        var (order, end) = (Tensor.Zeros<long>(batch, length), Tensor.Zeros<long>(batch));
        for (var b = 0; b < batch; b++)
        {
            var rows = new List<long>(length + subjects);
            for (var n = 0; n < length; n++)
            {
                for (var s = 0; s < subjects; s++)
                {
                    if (positions[b, s] == n) rows.Add(length + s);
                }

                rows.Add(n);
            }

            for (var n = 0; n < length; n++) order[b, n] = rows[n];
            end.Span[b] = Math.Min(rows.IndexOf(EndOf(ids.Span.Slice(b * length, length))), length - 1);
        }

        return (order, end);
    }

    // As CLIP pools: the largest id, where the configuration is an old one.
    private int EndOf(ReadOnlySpan<long> ids) => _config.EosTokenId != 2 && ids.IndexOf(_config.EosTokenId) is >= 0 and var end ? end : System.Numerics.Tensors.TensorPrimitives.IndexOfMax(ids);

    private static void Declare(Scope clip, ClipTextConfig config)
    {
        var (g, batch, tokens, width) = (clip.Graph, Dim.Symbol("batch"), Dim.Symbol("tokens"), config.HiddenSize);
        var ids = g.Input("input_ids", ElementType.Int64, [batch, tokens]);
        var (words, order, end) = (g.Input("words", [batch, Dim.Symbol("subjects"), width]), g.Input("order", ElementType.Int64, [batch, tokens]), g.Input("end", ElementType.Int64, [batch]));
        var text = clip["text_model"];
        var prompt = CoCoInsNetwork.Insert(text["embeddings.token_embedding"].Embedding(ids, config.VocabSize, width), words, order);
        g.Output("prompt_embeddings", prompt);
        var encoded = ClipText.EncodeEmbeddings(text, prompt, end, config, after: (i, h) => text.Stage($"text_block_{i}", h));
        g.Output("prompt_states", encoded.LastHiddenState);
        g.Output("pooled", encoded.Pooled);
    }
}
