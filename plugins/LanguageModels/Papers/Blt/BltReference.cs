using ModelZoo.Contracts;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>The calls of transformers' <c>BltForCausalLM</c>, and <c>patch</c> of the authors' <c>Patcher</c>.</summary>
internal sealed class BltReference(BltNetworks networks, BltConfig config)
{
    /// <summary>Runs a call.</summary>
    public Task<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel) => call switch
    {
        "forward" => ForwardAsync(arguments, cancel),
        "generate" => GenerateAsync(arguments, cancel),
        "patch" => Task.FromResult(Patch(arguments)),
        _ => throw new ModelZooException(ErrorCodes.VerbUnsupported, $"BLT has no call '{call}'.") { Expected = "forward, generate, patch" },
    };

    private async Task<CallResults> ForwardAsync(CallArguments arguments, CancellationToken cancel)
    {
        arguments.Has("use_cache");       // changes no result
        var (ids, kept) = (arguments.Tensor<long>("input_ids"), arguments.Literal("logits_to_keep", 0));
        var positions = arguments.FindTensor<long>("position_ids") ?? Places(ids);
        var results = await RunAsync(ids, positions, arguments.FindTensor<long>("attention_mask"), arguments.FindTensor<long>("patch_lengths"), cancel).ConfigureAwait(false);
        if (arguments.FindTensor<long>("labels") is { } labels) results.Add("loss", ByteEvaluation.Loss((Tensor<float>)results.Tensor("logits"), Next(labels)));
        return kept == 0 ? results : results.Values.Aggregate(new CallResults(), (all, pair) => all.Add(pair.Key, pair.Key == "logits" ? Last((Tensor<float>)pair.Value, kept) : (Tensor)pair.Value));
    }

    // The most probable id each time, over the whole anew: what the incremental stream is measured by.
    private async Task<CallResults> GenerateAsync(CallArguments arguments, CancellationToken cancel)
    {
        if (arguments.Literal("do_sample", false)) throw new ModelZooException(ErrorCodes.VerbUnsupported, "Draws of the reference's own generator cannot be repeated.") { Where = "do_sample" };
        arguments.Has("use_cache");
        var (ids, mask) = (arguments.Tensor<long>("input_ids"), arguments.FindTensor<long>("attention_mask"));
        var (steps, end) = (arguments.Literal<int>("max_new_tokens"), arguments.Literal<long?>("eos_token_id", null));
        var pad = arguments.Literal("pad_token_id", end ?? 0);
        var ended = new bool[ids.Shape[0]];
        for (var step = 0; step < steps && !ended.All(isEnd => isEnd); step++)
        {
            var logits = (Tensor<float>)(await RunAsync(ids, mask is null ? Places(ids) : RealPlaces(mask), mask, null, cancel).ConfigureAwait(false)).Tensor("logits");
            var next = Tensor.Zeros<long>(ids.Shape[0], 1);
            for (var row = 0; row < ended.Length; row++)
            {
                next[row, 0] = ended[row] ? pad : LogitProcessing.ArgMax(logits.Slice(row).Slice((int)ids.Shape[1] - 1).Span);
                ended[row] |= next[row, 0] == end;
            }

            ids = Joined(ids, next);
            if (mask is null) continue;
            next.Span.Fill(1);
            mask = Joined(mask, next);
        }

        return new CallResults().Add("sequences", ids);
    }

    private async Task<CallResults> RunAsync(Tensor<long> ids, Tensor<long> positions, Tensor<long>? mask, Tensor<long>? lengths, CancellationToken cancel)
    {
        var (results, rows, length) = (new CallResults(), (int)ids.Shape[0], (int)ids.Shape[1]);
        if (lengths is null && config.IsEntropic)
        {
            var predicted = await networks[BltPart.WholePatcher].RunAsync(cancel, ("ids", ids)).ConfigureAwait(false);
            results.AddRange(predicted.ToResults());
            lengths = BltPatches.Cut(config.PatchSize is null ? BltPatches.Ones(rows, length, 0) : BltPatches.FromEntropies(predicted["entropies"], config.PatchingThreshold), config.MaxPatchLength);
            results.Add("patch_lengths", lengths);
        }

        lengths ??= BltPatches.Cut(BltPatches.Ones(rows, length, 1), config.MaxPatchLength);
        var numbers = Tensor.Zeros<long>(rows, lengths.Shape[1]);
        for (var row = 0; row < rows; row++)
        {
            for (var patch = 0; patch < lengths.Shape[1]; patch++) numbers[row, patch] = patch;
        }

        (string, Tensor)[] inputs =
        [
            ("ids", ids), ("rows", Rows(ids)), ("owners", BltPatches.Ids(lengths, 0, length)), ("numbers", numbers), ("looked", BltPatches.Ids(lengths, 1, length)), ("positions", positions),
        ];
        var outputs = mask is null ? await networks[BltPart.Whole].RunAsync(cancel, inputs).ConfigureAwait(false)
            : await networks[BltPart.WholeMasked].RunAsync(cancel, [.. inputs, ("real", mask)]).ConfigureAwait(false);
        return results.AddRange(outputs.ToResults());
    }

    // Lengths of one row at a time, as the authors' code computes them with the next id among them or without.
    private CallResults Patch(CallArguments arguments)
    {
        var (tokens, hasNext) = (arguments.Tensor<long>("tokens"), arguments.Literal("include_next_token", false));
        var mode = Enum.Parse<BltPatching>(arguments.Literal("patching_mode", config.PatchingMode), ignoreCase: true);
        var rule = new BltPatchRule(mode, arguments.Literal("threshold", config.PatchingThreshold), arguments.Literal("threshold_add", config.PatchingThresholdAdd), arguments.Literal("monotonicity", config.Monotonicity),
            (int)arguments.Literal("patch_size", config.PatchSize ?? 1), arguments.Literal("max_patch_length", config.MaxPatchLength));
        var entropies = rule.IsEntropic ? arguments.Tensor<float>("entropies") : Tensor.Zeros<float>(tokens.Shape);
        var total = (int)tokens.Shape[1] + (hasNext ? 1 : 0);
        var rows = Enumerable.Range(0, (int)tokens.Shape[0])
            .Select(row => mode == BltPatching.Static ? [.. Enumerable.Repeat(0L, total).Chunk(rule.Size).Select(part => (long)part.Length)] : rule.Lengths(tokens.Slice(row).Span, entropies.Slice(row).Span, hasNext)).ToList();
        var lengths = Tensor.Zeros<long>(rows.Count, rows.Max(row => row.Count));
        for (var row = 0; row < rows.Count; row++) rows[row].ToArray().CopyTo(lengths.Slice(row).Span);
        return new CallResults().Add("patch_lengths", lengths);
    }

    private Tensor<long> Rows(Tensor<long> ids)
    {
        var (hashes, rows) = (new BltHashes(config), Tensor.Zeros<long>(ids.Shape[0], ids.Shape[1], config.HashTables));
        for (var row = 0; row < ids.Shape[0]; row++) hashes.Rows([.. ids.Slice(row).Span.ToArray().Select(id => (int)id)], 0).Span.CopyTo(rows.Slice(row).Span);
        return rows;
    }

    // What comes at each place: the label of the next.
    private static Tensor<long> Next(Tensor<long> labels)
    {
        var (next, length) = (Tensor.Zeros<long>(labels.Shape), (int)labels.Shape[1]);
        for (var i = 0; i < next.Length; i++) next.Span[i] = (i + 1) % length == 0 ? ByteEvaluation.Ignored : labels.Span[i + 1];
        return next;
    }

    private static Tensor<long> Places(Tensor<long> ids)
    {
        var places = Tensor.Zeros<long>(ids.Shape);
        for (var i = 0; i < places.Length; i++) places.Span[i] = i % ids.Shape[1];
        return places;
    }

    // Padding counts nothing; transformers gives it place 1.
    private static Tensor<long> RealPlaces(Tensor<long> mask)
    {
        var places = Tensor.Zeros<long>(mask.Shape);
        for (var row = 0; row < mask.Shape[0]; row++)
        {
            for (int at = 0, next = 0; at < mask.Shape[1]; at++) places[row, at] = mask[row, at] == 0 ? 1 : next++;
        }

        return places;
    }

    private static Tensor<long> Joined(Tensor<long> left, Tensor<long> right)
    {
        var both = Tensor.Zeros<long>(left.Shape[0], left.Shape[1] + right.Shape[1]);
        for (var row = 0; row < left.Shape[0]; row++)
        {
            left.Slice(row).Span.CopyTo(both.Slice(row).Span);
            right.Slice(row).Span.CopyTo(both.Slice(row).Span[(int)left.Shape[1]..]);
        }

        return both;
    }

    private static Tensor<float> Last(Tensor<float> logits, int count)
    {
        var (rows, length, width) = ((int)logits.Shape[0], (int)logits.Shape[1], (int)logits.Shape[2]);
        count = Math.Min(count, length);
        var last = Tensor.Zeros<float>(rows, count, width);
        for (var row = 0; row < rows; row++) logits.Slice(row).Span[((length - count) * width)..].CopyTo(last.Slice(row).Span);
        return last;
    }
}
