// CAD-Tokenizer: Towards Text-based CAD Prototyping via Modality-Specific Tokenization. Wang, Sun, Ma, Bian. arXiv:2509.21150
// Published layout: config.json + model.safetensors (vq.*, adapter.*, llm.*, lm_head.weight, code_kind). Deviations: no public code; where the paper is silent, see the specification of the case; geometry needs a CAD kernel.
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>CAD programs as few codes a primitive, and a language model that writes them under a grammar of sketches and extrusions.</summary>
internal sealed class CadTokenizer(CadConfig config, Network encoder, Network decoder, Network language, Tensor<float> codebook, long[] kinds)
{
    private const long Padding = 0, EndOfSequence = 1;

    public static ModelArchitecture Architecture { get; } = Paper.Row(
        Paper.Tokenizer("cad-tokenizer", "CAD-Tokenizer: Towards Text-based CAD Prototyping via Modality-Specific Tokenization", "2509.21150", ["Ruiyu Wang", "Shizhao Sun", "Weijian Ma", "Jiang Bian"], null)
            with { Inputs = [Modality.Tensors, Modality.Text], Layouts = ["config.json + model.safetensors"], Deviations = "No public code; geometry needs a CAD kernel and is not evaluated." },
        source =>
        {
            var config = CadConfig.Read(source);
            var checkpoint = source.OpenCheckpoint();
            var context = NetworkContext.Of(source, checkpoint);
            Network[] networks = [Network.Build(context, "encoder", root => CadNetworks.Encoder(root, config)), Network.Build(context, "decoder", root => CadNetworks.Decoder(root, config)), Network.Build(context, "language", root => CadNetworks.Language(root, config))];
            var cad = new CadTokenizer(config, networks[0], networks[1], networks[2], (Tensor<float>)WeightConversion.ToTensor(WeightConversion.ToFloat32(checkpoint.Get("vq.codebook"))), WeightConversion.ToInt64(checkpoint.Get("code_kind")).Span<long>().ToArray());
            var digest = Published.Digest([Convert.ToHexStringLower(cad.Codebook.Bytes), string.Join(' ', cad.Kinds)]);
            return new PaperModel(source).Owns([.. networks, checkpoint]).With(new CadVerbs(source.Id.ToString(), cad, config, digest))
                .On("encode", (arguments, cancel) => cad.Encode(arguments.Tensor<long>("ids"), arguments.Tensor<long>("span"), cancel))
                .On("forward", (arguments, cancel) => cad.Forward(arguments.Tensor<long>("codes"), arguments.Tensor<long>("ids"), cancel))
                .On("decode", (arguments, cancel) => new CallResults().Add("sequence", cad.Decode(arguments.Tensor<long>("codes"), Greedy(arguments), cancel)))
                .On("llm_forward", (arguments, cancel) => cad.Read(cad.Prompt(arguments), cancel))
                .On("generate", (arguments, cancel) => cad.Generate(cad.Prompt(arguments), arguments.Literal("max_codes", 64), Greedy(arguments), cancel));
        });

    /// <summary>The codes' vectors (K, D).</summary>
    public Tensor<float> Codebook => codebook;

    /// <summary>Kind of each code.</summary>
    public IReadOnlyList<long> Kinds => kinds;

    /// <summary>True when codes are whole primitives, each of one kind, that make sketches and extrusions to their end.</summary>
    public bool Accepts(ReadOnlySpan<int> codes)
    {
        var grammar = new CadGrammar(kinds, config.CodesPerPrimitive);
        foreach (var code in codes)
        {
            if (!grammar.Allows(code, int.MaxValue)) return false;
            grammar.Take(code);
        }

        return grammar.MayEnd;
    }

    /// <summary>Tokens (B, n), with the primitive that each belongs to, into codes (B, k, q).</summary>
    public CallResults Encode(Tensor<long> ids, Tensor<long> span, CancellationToken cancel)
    {
        var (batch, length) = ((int)ids.Shape[0], (int)ids.Shape[1]);
        var primitives = 0L;
        foreach (var place in span.Span) primitives = Math.Max(primitives, place + 1);
        var pooling = Tensor.Zeros<float>(batch, primitives, length);
        var keep = Tensor.Zeros<long>(batch, length);
        for (var row = 0; row < batch; row++)
        {
            for (var i = 0; i < length; i++)
            {
                keep[row, i] = ids[row, i] == Padding ? 0 : 1;
                if (span[row, i] >= 0) pooling[row, span[row, i], i] = 1f / Enumerable.Range(0, length).Count(j => span[row, j] == span[row, i]);
            }
        }

        var outputs = encoder.Run(cancel, ("ids", ids), ("keep", keep), ("pooling", pooling));
        var latent = outputs["latent"].Reshape(batch, primitives, config.CodesPerPrimitive, config.CodeWidth);
        var results = new CallResults();
        for (var i = 0; i < config.Depth; i++) results.Add($"encoder_block_{i}", outputs[$"encoder_block_{i}"]);
        return results.Add("pooled", outputs["pooled"]).Add("latent", latent).Add("codes", Nearest(latent));
    }

    /// <summary>Logits of each next token of ids (B, n), given codes (B, k, q).</summary>
    public CallResults Forward(Tensor<long> codes, Tensor<long> ids, CancellationToken cancel)
    {
        var (batch, length) = ((int)ids.Shape[0], (int)ids.Shape[1]);
        var shifted = Tensor.Zeros<long>(batch, length);
        for (var row = 0; row < batch; row++)
        {
            for (var i = 0; i < length; i++) shifted[row, i] = i == 0 ? EndOfSequence : ids[row, i - 1];
        }

        var outputs = decoder.Run(cancel, ("codes", codes.Reshape(batch, codes.Length / batch)), ("ids", shifted));
        var results = new CallResults();
        for (var i = 0; i < config.Depth; i++) results.Add($"decoder_block_{i}", outputs[$"decoder_block_{i}"]);
        return results.Add("sequence_logits", outputs["sequence_logits"]);
    }

    /// <summary>Codes (B, k, q) into tokens (B, n_max), padded after the end.</summary>
    public Tensor<long> Decode(Tensor<long> codes, bool greedy, CancellationToken cancel)
    {
        if (!greedy) throw new ModelZooException(ErrorCodes.VerbUnsupported, "Sequences are decoded greedily.") { Where = "greedy" };
        var batch = (int)codes.Shape[0];
        var sequence = Tensor.Zeros<long>(batch, config.MaxLength);
        for (var row = 0; row < batch; row++)
        {
            var own = codes.Slice(row).Reshape(1, codes.Length / batch);
            var ids = new List<long> { EndOfSequence };
            for (var place = 0; place < config.MaxLength && (place == 0 || ids[^1] != EndOfSequence); place++)
            {
                var logits = decoder.Run(cancel, ("codes", own), ("ids", Tensor.Create(ids.ToArray(), 1, ids.Count)))["sequence_logits"];
                ids.Add(Best(logits.Slice(0).Slice(ids.Count - 1).Span, static _ => true));
                sequence[row, place] = ids[^1];
            }
        }

        return sequence;
    }

    /// <summary>Continues a prompt with codes that the grammar allows, so that a sketch and its extrusion are finished in time.</summary>
    public CallResults Generate(long[] prompt, int maxCodes, bool greedy, CancellationToken cancel)
    {
        if (!greedy) throw new ModelZooException(ErrorCodes.VerbUnsupported, "Programs are generated greedily.") { Where = "greedy" };
        var ids = prompt.ToList();
        var grammar = new CadGrammar(kinds, config.CodesPerPrimitive);
        var (codes, states, steps) = (new List<long>(), new List<long>(), new List<float[]>());
        for (var end = config.TextVocabulary + config.Codes; codes.Count < maxCodes;)
        {
            var logits = language.Run(cancel, ("ids", Tensor.Create(ids.ToArray(), 1, ids.Count)))["llm_logits"].Slice(0).Slice(ids.Count - 1).Span;
            steps.Add(logits.ToArray());
            var left = maxCodes - codes.Count;
            var next = Best(logits, id => id == end ? grammar.MayEnd : id >= config.TextVocabulary && grammar.Allows(id - config.TextVocabulary, left));
            if (next == end) break;
            ids.Add(next);
            codes.Add(next - config.TextVocabulary);
            if (grammar.Take((int)codes[^1]) is { } state) states.Add(state);
        }

        return new CallResults()
            .Add("step_logits", Tensor.Create([.. steps.SelectMany(step => step)], steps.Count, config.LanguageVocabulary))
            .Add("generated_codes", Tensor.Create(codes.ToArray(), codes.Count)).Add("states", Tensor.Create(states.ToArray(), states.Count));
    }

    private CallResults Read(long[] ids, CancellationToken cancel)
    {
        var outputs = language.Run(cancel, ("ids", Tensor.Create(ids, 1, ids.Length)));
        return new CallResults().Add("llm_hidden", outputs["llm_hidden"]).Add("llm_logits", outputs["llm_logits"]);
    }

    // Text ids, then, for editing, the codes of the program.
    private long[] Prompt(CallArguments arguments) =>
        [.. arguments.Tensor<long>("text_ids").Span, .. (arguments.FindTensor<long>("program_codes")?.Span.ToArray() ?? []).Select(code => code + config.TextVocabulary)];

    private static bool Greedy(CallArguments arguments) => arguments.Literal("greedy", true);

    private Tensor<long> Nearest(Tensor<float> latent)
    {
        var codes = Tensor.Zeros<long>(latent.Shape[..^1]);
        for (var i = 0; i < codes.Length; i++)
        {
            var vector = latent.Span.Slice(i * config.CodeWidth, config.CodeWidth).ToArray();
            codes.Span[i] = Enumerable.Range(0, config.Codes).MinBy(code => vector.Select((x, d) => Math.Pow((double)x - codebook[code, d], 2)).Sum());
        }

        return codes;
    }

    private static int Best(ReadOnlySpan<float> logits, Func<int, bool> allowed)
    {
        var best = -1;
        for (var id = 0; id < logits.Length; id++)
        {
            if (allowed(id) && (best < 0 || logits[id] > logits[best])) best = id;
        }

        return best;
    }
}

/// <summary>The automaton of sketches and extrusions over kinds of codes: curve, loop end, sketch end, extrusion.</summary>
/// <param name="kinds">Kind of each code.</param>
/// <param name="codesPerPrimitive">Codes of one primitive; all are of one kind.</param>
internal sealed class CadGrammar(long[] kinds, int codesPerPrimitive)
{
    private enum State { Start, InLoop, LoopEnd, SketchEnd, Done }

    // Primitives from each state to the end of an extrusion.
    private static readonly int[] Way = [4, 3, 2, 1, 0];
    private State _state;
    private int _inPrimitive;
    private long _kind;

    /// <summary>True when the program may end here.</summary>
    public bool MayEnd => _state == State.Done && _inPrimitive == 0;

    /// <summary>True when a code may follow and, with it, the rest of <paramref name="left"/> codes still reaches an extrusion.</summary>
    public bool Allows(int code, int left)
    {
        if (code >= kinds.Length) return false;
        if (_inPrimitive > 0) return kinds[code] == _kind;
        return Next(_state, kinds[code]) is { } next && (left > Way[(int)_state] * codesPerPrimitive || Way[(int)next] < Way[(int)_state]) && Way[(int)next] * codesPerPrimitive <= left - codesPerPrimitive;
    }

    /// <summary>Takes a code; gives the state when it completes a primitive.</summary>
    public long? Take(int code)
    {
        _kind = kinds[code];
        if (++_inPrimitive < codesPerPrimitive) return null;
        _inPrimitive = 0;
        _state = Next(_state, _kind) ?? _state;
        return (long)_state;
    }

    private static State? Next(State state, long kind) => (state, kind) switch
    {
        (State.Start or State.InLoop or State.LoopEnd or State.Done, 0) => State.InLoop,
        (State.InLoop, 1) => State.LoopEnd,
        (State.LoopEnd, 2) => State.SketchEnd,
        (State.SketchEnd, 3) => State.Done,
        _ => null,
    };
}
