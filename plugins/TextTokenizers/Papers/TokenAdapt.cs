// Achieving Tokenizer Flexibility in Language Models through Heuristic Adaptation and Supertoken Learning. Sharthak, Pahalwan, Kamath, Shirawalmath. arXiv:2505.09738. github.com/Tinycompany-AI/tokenadapt
// Published layout: old/tokenizer.json and new/tokenizer.json; embedding tables come as tensors. Deviations: the external embeddings of strings are given, not computed here.
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>A new token's embedding from the old tokens: those that it is made of (local), and those whose meaning is nearest (global).</summary>
internal sealed class TokenAdapt
{
    public static ModelArchitecture Architecture { get; } = Paper.Row(
        Paper.Transplant("tokenadapt", "Achieving Tokenizer Flexibility in Language Models through Heuristic Adaptation and Supertoken Learning", "2505.09738",
            ["Shaurya Sharthak", "Vinayak Pahalwan", "Adithya Kamath", "Adarsh Shirawalmath"], "Tinycompany-AI/tokenadapt", "Apache-2.0")
            with { Inputs = [Modality.Tensors, Modality.Text], Layouts = ["old/tokenizer.json + new/tokenizer.json"], Deviations = "The external embeddings of strings are given, not computed here." },
        Open);

    private readonly PipelineTokenizer _old;
    private readonly Dictionary<string, float[]> _external = [];
    private readonly double _temperature;

    /// <param name="old">The tokenizer that the embeddings were learned for.</param>
    /// <param name="external">Vectors of an embedding model for strings.</param>
    /// <param name="temperature">Divides weights before the last softmax.</param>
    public TokenAdapt(PipelineTokenizer old, IEnumerable<(string Text, float[] Vector)> external, double temperature)
    {
        (_old, _temperature) = (old, temperature);
        foreach (var (text, vector) in external) _external[text] = vector;
    }

    /// <summary>Weights of the old tokens that spell <paramref name="text"/>: similarity to the whole and share of its length.</summary>
    public (int Id, double Weight)[] Local(string text)
    {
        if (!_external.TryGetValue(text, out var whole)) return [];
        List<(int Id, string Text, float[] Vector)> parts = [.. _old.EncodePlain(text).Ids.Select(id => (id, _old.Decode([id]))).Where(part => _external.ContainsKey(part.Item2)).Select(part => (part.id, part.Item2, _external[part.Item2]))];
        var similarity = Vectors.Softmax([.. parts.Select(part => Vectors.Cosine(whole, part.Vector))]);
        double length = Scalars.Count(text);
        var weights = Vectors.Softmax([.. parts.Select((part, i) => (similarity[i] + Scalars.Count(part.Text) / length) / 2 / _temperature)]);
        return [.. parts.Select((part, i) => (part.Id, weights[i]))];
    }

    /// <summary>Weights of the <paramref name="k"/> tokens of <paramref name="pool"/> that are most like <paramref name="text"/>; those below the threshold weigh nothing.</summary>
    public (int Id, double Weight)[] Global(string text, IEnumerable<(int Id, float[] Vector)> pool, int k, double threshold)
    {
        if (!_external.TryGetValue(text, out var query)) return [];
        List<(int Id, double Similarity)> near = [.. pool.Select(token => (token.Id, Vectors.Cosine(query, token.Vector))).OrderByDescending(token => token.Item2).Take(k)];
        var weights = Vectors.Softmax([.. near.Select(token => token.Similarity / _temperature)]);
        var kept = near.Select((token, i) => (token.Id, Weight: token.Similarity >= threshold ? weights[i] : 0)).ToList();
        var sum = kept.Sum(token => token.Weight);
        return sum == 0 ? [] : [.. kept.Select(token => (token.Id, token.Weight / sum))];
    }

    private static PaperModel Open(ModelSource source)
    {
        var tokenizers = new TokenizerSet(source);
        var (old, fresh) = (tokenizers["old/tokenizer.json"], tokenizers["new/tokenizer.json"]);
        string[] Texts(CallArguments arguments) => [.. arguments.Lines("lines")[0].Ints("ids").Select(id => fresh.Decode([id]))];
        IReadOnlyList<System.Text.Json.JsonElement>? lines = null;
        return new PaperModel(source)
            .On("tokens", arguments =>
            {
                lines = arguments.Lines("lines");
                var texts = Texts(arguments);
                return new CallResults().Add("lines", [Line.Of(("tokens", texts), ("old_ids", texts.Select(text => old.EncodePlain(text).Ids)))]);
            })
            .On("embed", arguments =>
            {
                var line = (arguments.Has("lines") ? arguments.Lines("lines") : lines)?[0]
                    ?? throw new ModelZooException(ErrorCodes.VerbUnsupported, "embed needs lines with ids, external_strings and neighbour_pool.");
                return Embed(arguments, line, old, [.. line.Ints("ids").Select(id => fresh.Decode([id]))]);
            });
    }

    private static CallResults Embed(CallArguments arguments, System.Text.Json.JsonElement line, PipelineTokenizer old, string[] texts)
    {
        var external = arguments.Tensor<float>("external");
        List<(string Text, float[] Vector)> vectors = [.. line.Texts("external_strings").Select((text, row) => (text, external.Slice(row).Span.ToArray()))];
        var adapt = new TokenAdapt(old, vectors, arguments.Literal("temperature", 0.3));
        var pool = line.Ints("neighbour_pool").Select(id => (id, adapt._external[old.Decode([id])])).ToList();
        var (k, threshold) = (arguments.Literal("k", 3), arguments.Literal("threshold", 0.5));
        var local = texts.Select(adapt.Local).ToList();
        var global = texts.Select(text => adapt.Global(text, pool, k, threshold)).ToList();
        var results = new CallResults();
        foreach (var side in (ReadOnlySpan<string>)["input", "output"])
        {
            if (arguments.FindTensor<float>($"{side}_embeddings") is not { } table) continue;
            results.Add($"local_{side}", Mix(table, local)).Add($"global_{side}", Mix(table, global));
        }

        return results;
    }

    // Rows of the table (V, D) by weight: (N, D). A token that nothing was found for stays zero.
    private static Tensor<float> Mix(Tensor<float> table, IReadOnlyList<(int Id, double Weight)[]> weights)
    {
        var mixed = Tensor.Zeros<float>(weights.Count, table.Shape[1]);
        for (var row = 0; row < weights.Count; row++)
        {
            foreach (var (id, weight) in weights[row])
            {
                for (var column = 0; column < table.Shape[1]; column++) mixed[row, column] += (float)(weight * table[id, column]);
            }
        }

        return mixed;
    }
}
