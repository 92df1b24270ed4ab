using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>The authors' own calls.</summary>
internal sealed class LearnYourTokensCalls(LearnYourTokensConfig config, NetworkCache<int> words, Network spell)
{
    /// <summary><c>forward(idx, mask, eval)</c> of words: logits (B, T - 1, C, V) of each word given those before it; with eval the states (B, P, D) from which the last word is spelled.</summary>
    public async ValueTask<CallResults> ForwardAsync(CallArguments arguments, CancellationToken cancel)
    {
        var (idx, mask) = (arguments.Tensor<long>("idx"), arguments.Tensor<long>("mask"));
        var (rows, count, canvas) = ((int)idx.Shape[0], (int)idx.Shape[1], (int)idx.Shape[2]);
        using var past = words[canvas].Begin(rows);
        var outputs = await past.StepAsync(cancel, ("idx", idx), ("mask", mask)).ConfigureAwait(false);
        var net = outputs["net"];
        var results = new CallResults().Add("query", outputs["words"]);
        if (arguments.Literal("eval", false)) return results.Return(Part(net, count - 2, 1).Reshape(rows, net.Shape[2], net.Shape[3]));

        var states = Part(net, 0, count - 1).Reshape(rows * (count - 1), net.Shape[2], net.Shape[3]);
        var next = Part(idx, 1, count - 1).Reshape(rows * (count - 1), canvas);
        var spelled = (await spell.RunAsync(cancel, ("net", states), ("idx", next)).ConfigureAwait(false))["logits"];
        // What would follow a full canvas is not given.
        var logits = Part(spelled, 0, canvas).Reshape(rows, count - 1, canvas, spelled.Shape[2]);
        return results.Add("net", net.Reshape(rows, count * net.Shape[2], net.Shape[3])).Add("logits", logits).Return(logits);
    }

    /// <summary>What <c>validation_step(x, x_mask)</c> predicts: the characters (B, C) of the last word, one by one, each the most probable, or the one that uniforms (B, C) fall on; padding behind its end is predicted, too.</summary>
    public async ValueTask<CallResults> LastWordAsync(CallArguments arguments, CancellationToken cancel)
    {
        const int Context = 90;
        var (x, mask, uniforms) = (arguments.Tensor<long>("x"), arguments.Tensor<long>("x_mask"), arguments.FindTensor<float>("uniforms"));
        var (rows, count, canvas) = ((int)x.Shape[0], (int)x.Shape[1], (int)x.Shape[2]);
        var first = Math.Max(0, count - Context);
        using var past = words[canvas].Begin(rows);
        // The last word is spelled from the words before it, whatever it is.
        var net = (await past.StepAsync(cancel, ("idx", Part(x, first, count - first - 1)), ("mask", Part(mask, first, count - first - 1))).ConfigureAwait(false))["net"];
        var states = Part(net, (int)net.Shape[1] - 1, 1).Reshape(rows, net.Shape[2], net.Shape[3]);
        var (sampling, predicted) = (new TokenSampling { Temperature = uniforms is null ? 0 : 1 }, Tensor.Zeros<long>(rows, canvas));
        for (var c = 0; c < canvas; c++)
        {
            var logits = (await spell.RunAsync(cancel, ("net", states), ("idx", predicted)).ConfigureAwait(false))["logits"];
            for (var row = 0; row < rows; row++) predicted[row, c] = sampling.Choose(logits.Place(row, c), [], uniforms?[row, c] ?? 0);
        }

        return new CallResults().Return(predicted);
    }

    /// <summary><c>forward(idx)</c> without words: logits (B, T, V).</summary>
    public async ValueTask<CallResults> PlainAsync(CallArguments arguments, CancellationToken cancel)
    {
        var idx = arguments.Tensor<long>("idx");
        using var past = spell.Begin((int)idx.Shape[0]);
        var logits = (await past.StepAsync(cancel, ("idx", idx)).ConfigureAwait(false))["logits"];
        return new CallResults().Add("logits", logits).Return(logits);
    }

    /// <summary><c>generate(idx, max_new_tokens)</c> without words: ids (B, T + new), the most probable each time, or those that uniforms (B, new) fall on.</summary>
    public async ValueTask<CallResults> GenerateAsync(CallArguments arguments, CancellationToken cancel)
    {
        var (idx, added, uniforms) = (arguments.Tensor<long>("idx"), arguments.Literal<int>("max_new_tokens"), arguments.FindTensor<float>("uniforms"));
        var sampling = new TokenSampling { Temperature = arguments.Literal("do_sample", false) ? arguments.Literal("temperature", 1f) : 0, TopK = arguments.Literal("top_k", 0) };
        if (sampling.Temperature == 0) _ = arguments.Literal("temperature", 1f);
        else if (uniforms is null) throw new ModelZooException(ErrorCodes.VerbUnsupported, "Draws are given to a call.") { Expected = "uniforms (batch, new tokens)" };
        var sequences = Tensor.Zeros<long>(idx.Shape[0], idx.Shape[1] + added);
        for (var row = 0; row < (int)idx.Shape[0]; row++)
        {
            var sequence = idx.Slice(row).Span.ToArray().ToList();
            using var stream = new PlainStream(spell, config.BlockSize);
            var next = Array.ConvertAll(sequence.ToArray(), id => (int)id);
            for (var step = 0; step < added; step++)
            {
                var logits = await stream.AppendAsync(Tensor.Create(next, 1, next.Length), cancel).ConfigureAwait(false);
                next = [sampling.Choose(logits.Span, [], uniforms?[row, step] ?? 0)];
                sequence.Add(next[0]);
            }

            sequence.ToArray().CopyTo(sequences.Slice(row).Span);
        }

        return new CallResults().Return(sequences);
    }

    // Elements start up to start + count of the second axis.
    private static Tensor<T> Part<T>(Tensor<T> x, int start, int count) where T : unmanaged
    {
        var size = (int)Tensor.Count(x.Shape[2..]);
        return Tensor.Create([.. Enumerable.Range(0, (int)x.Shape[0]).SelectMany(row => x.Slice(row).Span.Slice(start * size, count * size).ToArray())], [x.Shape[0], count, .. x.Shape[2..]]);
    }
}
