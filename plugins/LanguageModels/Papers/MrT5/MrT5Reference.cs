using ModelZoo.Contracts;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>The calls of the authors' <c>MrT5ForConditionalGeneration</c>.</summary>
internal sealed class MrT5Reference(MrT5Runner runner, MrT5Config config)
{
    private const long Pad = 0, End = 1;

    /// <summary>Runs a call.</summary>
    public Task<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel) => call switch
    {
        "forward" => ForwardAsync(arguments, cancel),
        "generate" => GenerateAsync(arguments, cancel),
        _ => throw new ModelZooException(ErrorCodes.VerbUnsupported, $"MrT5 has no call '{call}'.") { Expected = "forward, generate" },
    };

    private async Task<CallResults> ForwardAsync(CallArguments arguments, CancellationToken cancel)
    {
        arguments.Has("use_cache");       // changes no result
        var labels = arguments.FindTensor<long>("labels");
        var encoded = await EncodeAsync(arguments, arguments.FindTensor<long>("attention_mask"), cancel).ConfigureAwait(false);
        var ids = arguments.FindTensor<long>("decoder_input_ids") ?? ShiftRight(labels ?? throw new ModelZooException(ErrorCodes.VerbUnsupported, "The decoder has nothing to read.") { Where = "decoder_input_ids", Expected = "decoder_input_ids or labels" });
        var logits = await runner.DecodeAsync(ids, arguments.FindTensor<long>("decoder_attention_mask"), encoded.States, encoded.Keys, cancel).ConfigureAwait(false);

        var results = new CallResults();
        if (encoded is { Logits: { } gateLogits, Gates: { } gates, GateKeys: { } keys })
            results.Add("delete_gate_logits", gateLogits).Add("delete_gate_output", gates).Add("delete_gate_mask", keys.Reshape(keys.Shape[0], keys.Shape[1], 1));
        results.Add("encoder_last_hidden_state", encoded.States).Add("logits", logits);
        return labels is null ? results : results.Add("loss", ByteEvaluation.Loss(logits, labels));
    }

    // The most probable id each time. As in the authors' code the decoder does not know of padding but by its gate.
    private async Task<CallResults> GenerateAsync(CallArguments arguments, CancellationToken cancel)
    {
        if (arguments.Literal("do_sample", false)) throw new ModelZooException(ErrorCodes.VerbUnsupported, "Draws of the reference's own generator cannot be repeated.") { Where = "do_sample" };
        arguments.Has("use_cache");
        var ids = arguments.Tensor<long>("input_ids");
        var encoded = await EncodeAsync(arguments, arguments.FindTensor<long>("attention_mask") ?? Real(ids), cancel).ConfigureAwait(false);
        var (rows, steps, keys) = ((int)ids.Shape[0], arguments.Literal<int>("max_new_tokens"), encoded.GateKeys ?? Tensor.Zeros<float>(encoded.Keys.Shape));
        var (sequences, ended) = (Tensor.Zeros<long>(rows, 1), new bool[rows]);
        sequences.Span.Fill(config.DecoderStartTokenId);
        for (var step = 0; step < steps && !ended.All(isEnd => isEnd); step++)
        {
            var logits = await runner.DecodeAsync(sequences, null, encoded.States, keys, cancel).ConfigureAwait(false);
            var longer = Tensor.Zeros<long>(rows, step + 2);
            for (var row = 0; row < rows; row++)
            {
                sequences.Slice(row).Span.CopyTo(longer.Slice(row).Span);
                longer[row, step + 1] = ended[row] ? Pad : LogitProcessing.ArgMax(logits.Slice(row).Slice(step).Span);
                ended[row] |= longer[row, step + 1] == End;
            }

            sequences = longer;
        }

        return new CallResults().Add("sequences", sequences);
    }

    private Task<MrT5Encoded> EncodeAsync(CallArguments arguments, Tensor<long>? mask, CancellationToken cancel) =>
        runner.EncodeAsync(arguments.Tensor<long>("input_ids"), mask, arguments.Literal("hard_delete", false), arguments.Literal<double?>("deletion_threshold", null), cancel);

    private Tensor<long> ShiftRight(Tensor<long> labels)
    {
        var (shifted, length) = (Tensor.Zeros<long>(labels.Shape), (int)labels.Shape[1]);
        for (var i = 0; i < shifted.Length; i++) shifted.Span[i] = i % length == 0 ? config.DecoderStartTokenId : labels.Span[i - 1] == ByteEvaluation.Ignored ? Pad : labels.Span[i - 1];
        return shifted;
    }

    private static Tensor<long> Real(Tensor<long> ids)
    {
        var real = Tensor.Zeros<long>(ids.Shape);
        for (var i = 0; i < real.Length; i++) real.Span[i] = ids.Span[i] == Pad ? 0 : 1;
        return real;
    }
}
