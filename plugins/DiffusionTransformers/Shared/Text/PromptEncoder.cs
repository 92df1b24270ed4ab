using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Encoders;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

namespace ModelZoo.Plugins.DiffusionTransformers.Shared.Text;

/// <summary>A text as a denoiser sees it.</summary>
/// <param name="Tokens">States of its tokens, (1, N, D).</param>
/// <param name="Mask">1 for tokens, 0 for padding, (1, N).</param>
internal sealed record EncodedPrompt(Tensor<float> Tokens, Tensor<float> Mask)
{
    /// <summary>The same with padding up to a length, so that texts of all lengths go side by side.</summary>
    public EncodedPrompt Filled(int length)
    {
        var (batch, count, width) = (Tokens.Shape[0], (int)Tokens.Shape[1], Tokens.Shape[2]);
        if (count >= length) return this;
        var filled = new EncodedPrompt(Tensor.Zeros<float>(batch, length, width), Tensor.Zeros<float>(batch, length));
        for (var b = 0; b < batch; b++)
        {
            Tokens.Slice(b).Span.CopyTo(filled.Tokens.Slice(b).Span);
            Mask.Slice(b).Span.CopyTo(filled.Mask.Slice(b).Span);
        }

        return filled;
    }
}

/// <summary>A T5 or Gemma text encoder of a published pipeline: <c>tokenizer</c> and <c>text_encoder</c>, or those of a number.</summary>
internal sealed class PromptEncoder : IDisposable
{
    private readonly Checkpoint _checkpoint;
    private readonly SentencePieces _pieces;
    private readonly NetworkCache<long> _networks;
    private readonly bool _ends;

    private PromptEncoder(Checkpoint checkpoint, SentencePieces pieces, bool ends, Func<Scope, Value, Value, Value> encode, NetworkContext context)
    {
        (_checkpoint, _pieces, _ends) = (checkpoint, pieces, ends);
        _networks = new(length => Network.Build(context, "text encoder", scope =>
        {
            var (ids, mask) = (scope.Graph.Input("input_ids", ElementType.Int64, [1, length]), scope.Graph.Input("attention_mask", ElementType.Int64, [1, length]));
            scope.Graph.Output("last_hidden_state", encode(scope, ids, mask));
        }));
    }

    /// <summary>Words to ids.</summary>
    public SentencePieces Pieces => _pieces;

    /// <summary>Opens an encoder of a pipeline; null when the pipeline has none.</summary>
    /// <param name="pipeline">The pipeline.</param>
    /// <param name="suffix">What stands behind the names of its parts, such as <c>_2</c>.</param>
    /// <exception cref="CheckpointException">The encoder is of a kind that is not known, or a file is missing.</exception>
    public static PromptEncoder? Open(PipelineFolder pipeline, string suffix = "")
    {
        if (pipeline.Find("text_encoder" + suffix) is not { } folder) return null;
        var type = (string?)PublishedConfig.ReadJson(folder)["model_type"];
        var pieces = SentencePieces.Open(pipeline.Find("tokenizer" + suffix) ?? folder);
        var checkpoint = Checkpoint.Open(folder);
        var context = NetworkContext.Of(pipeline.Source, checkpoint) with { Stages = false };
        switch (type)
        {
            case "t5":
                var t5 = PublishedConfig.Read<T5Config>(folder).Value;
                return new(checkpoint, pieces, ends: true, (scope, ids, mask) => T5Encoder.Encode(scope, ids, t5, mask).LastHiddenState, context);
            case "gemma2":
                var gemma = PublishedConfig.Read<Gemma2Config>(folder).Value;
                return new(checkpoint, pieces, ends: false, (scope, ids, mask) => Gemma2.Encode(scope.Has("embed_tokens.weight") ? scope : scope["model"], ids, gemma, mask).LastHiddenState, context);
            default:
                checkpoint.Dispose();
                throw new CheckpointException(ErrorCodes.ConfigInvalid, "The text encoder is of a kind that is not supported.") { Where = folder, Expected = "t5, gemma2", Found = type };
        }
    }

    /// <summary>Encodes a text, padded or cut to a length.</summary>
    /// <param name="text">The text.</param>
    /// <param name="length">Tokens that the denoiser sees.</param>
    /// <param name="instruction">What the encoder is told before the text; of its tokens only the first is kept (SANA, section 3.2).</param>
    /// <param name="masked">False where the encoder attends to padding, as FLUX and Stable Diffusion 3 have it.</param>
    /// <param name="cancel">Stops before the encoder runs.</param>
    public async Task<EncodedPrompt> EncodeAsync(string text, int length, string instruction, bool masked, CancellationToken cancel)
    {
        var all = instruction.Length == 0 ? length : Framed(instruction, int.MaxValue).Count + length - 2;
        var tokens = Framed(instruction + text, all);
        var ids = Tensor.Create<long>([.. tokens.Select(id => (long)id), .. Enumerable.Repeat((long)_pieces.PaddingId, all - tokens.Count)], 1, all);
        var mask = Tensor.Create<long>([.. Enumerable.Range(0, all).Select(i => i < tokens.Count || !masked ? 1L : 0)], 1, all);
        var network = await Task.Run(() => _networks[all], cancel).ConfigureAwait(false);
        var states = (await network.RunAsync(cancel, ("input_ids", ids), ("attention_mask", mask)).ConfigureAwait(false))["last_hidden_state"];
        // The first token and the last ones.
        int[] kept = [.. Enumerable.Range(0, length).Select(i => i == 0 ? 0 : all - length + i)];
        var (width, result, seen) = ((int)states.Shape[2], Tensor.Zeros<float>(1, length, states.Shape[2]), Tensor.Zeros<float>(1, length));
        for (var i = 0; i < length; i++)
        {
            states.Span.Slice(kept[i] * width, width).CopyTo(result.Span[(i * width)..]);
            seen.Span[i] = mask.Span[kept[i]];
        }

        return new(result, seen);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _networks.Dispose();
        _checkpoint.Dispose();
    }

    // T5 ends texts, Gemma begins them; what is too long is cut before the end.
    private List<int> Framed(string text, int length)
    {
        List<int> ids = [.. !_ends && _pieces.StartId is { } start ? (int[])[start] : [], .. _pieces.Encode(text)];
        var room = length - (_ends ? 1 : 0);
        if (ids.Count > room) ids.RemoveRange(room, ids.Count - room);
        if (_ends && _pieces.EndId is { } end) ids.Add(end);
        return ids;
    }
}
