// zip2zip: Inference-Time Adaptive Vocabularies for Language Models via Token Compression. Geng, Ranchin, Yao, Peyrard, Wendler, Gastpar, West. arXiv:2506.01084. github.com/epfl-dlab/zip2zip
// Published layout: config.json of zip2zip_compression. Deviations: the hyper-encoder that embeds new ids is not here; it needs the authors' language models.
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>Settings of the coder; keys as published.</summary>
/// <param name="InitialVocabSize">Ids of the tokenizer underneath; new ids start here.</param>
/// <param name="MaxCodebookSize">Most new ids of one sequence.</param>
/// <param name="MaxSubtokens">Most base ids that a new id stands for.</param>
/// <param name="PadTokenId">Fills short sequences.</param>
/// <param name="DisabledIds">Ids that pass through and end the current phrase; padding is one of them.</param>
internal sealed record Zip2ZipConfig(int InitialVocabSize, int MaxCodebookSize, int MaxSubtokens, int PadTokenId, HashSet<int> DisabledIds);

/// <summary>Lempel-Ziv-Welch over token ids, with a codebook that both sides rebuild.</summary>
internal sealed class Zip2Zip(Zip2ZipConfig config)
{
    public static ModelArchitecture Architecture { get; } = Paper.Row(
        Paper.Tokenizer("zip2zip", "zip2zip: Inference-Time Adaptive Vocabularies for Language Models via Token Compression", "2506.01084",
            ["Saibo Geng", "Nathan Ranchin", "Yunzhen Yao", "Maxime Peyrard", "Chris Wendler", "Michael Gastpar", "Robert West"], "epfl-dlab/zip2zip", "Apache-2.0")
            with { Inputs = [Modality.Tokens, Modality.Text], Layouts = ["config.json"], Deviations = "The hyper-encoder that embeds new ids is not part of it." },
        Open);

    /// <summary>Compressed ids and the codebook that they built.</summary>
    /// <param name="ids">Base ids.</param>
    /// <param name="limit">Most compressed ids; what comes after them is not looked at.</param>
    public (int[] Compressed, Codebook Codebook) Encode(ReadOnlySpan<int> ids, int limit = int.MaxValue)
    {
        var codebook = new Codebook(config);
        var compressed = new List<int>();
        var phrase = new List<int>();
        foreach (var id in ids)
        {
            if (compressed.Count >= limit) break;
            if (config.DisabledIds.Contains(id))
            {
                Flush();
                Emit(id);
                continue;
            }

            phrase.Add(id);
            if (phrase.Count == 1 || codebook.Find(phrase) >= 0) continue;
            codebook.Add([.. phrase]);
            phrase.RemoveAt(phrase.Count - 1);
            Flush();
            phrase.Add(id);
        }

        Flush();
        return ([.. compressed], codebook);

        void Flush()
        {
            if (phrase.Count > 0) Emit(phrase.Count == 1 ? phrase[0] : codebook.Find(phrase));
            phrase.Clear();
        }

        void Emit(int code)
        {
            if (compressed.Count < limit) compressed.Add(code);
        }
    }

    /// <summary>The base ids again.</summary>
    public int[] Decode(ReadOnlySpan<int> compressed)
    {
        var decoder = new Decoder(config);
        var ids = new List<int>();
        foreach (var code in compressed) ids.AddRange(decoder.Next(code));
        return [.. ids];
    }

    private static PaperModel Open(ModelSource source)
    {
        var file = source.Json("config.json");
        var pad = file.Member("pad_token_id").AsInt();
        var config = new Zip2ZipConfig(
            file.Member("initial_vocab_size").AsInt(), file.Member("max_codebook_size").AsInt(), file.Member("max_subtokens").AsInt(),
            pad, [.. file.Find("disabled_ids") is null ? [] : file.Ints("disabled_ids"), pad]);
        var coder = new Zip2Zip(config);
        return new PaperModel(source)
            .OnLines("encode", line =>
            {
                var (compressed, codebook) = coder.Encode(line.Ints("ids"), line.Option("truncation", false) ? Length() : int.MaxValue);
                if (line.Option("padding")?.ToString() == "max_length") compressed = coder.Pad(compressed, Length());
                return Line.Of(("compressed", compressed), ("attention_mask", coder.Mask(compressed)), ("codebook", codebook.Entries()), ("decoded", coder.Decode(compressed)));

                int Length() => line.Member("options").Member("max_length").AsInt();
            })
            .OnLines("update_codebooks", line => coder.Follow(line.Ints("compressed")))
            .With(new Zip2ZipVerbs(source.Id.ToString(), config, coder));
    }

    private int[] Pad(int[] compressed, int length) => [.. Enumerable.Repeat(config.PadTokenId, Math.Max(0, length - compressed.Length)), .. compressed];

    private IEnumerable<int> Mask(int[] compressed) => compressed.Select(id => id == config.PadTokenId ? 0 : 1);

    // What the model's side learns after each id: new entries, padded to equal width, and their places. The first step sets up the empty table.
    private System.Text.Json.JsonElement Follow(int[] compressed)
    {
        var decoder = new Decoder(config, skipsPadding: true);
        var steps = new List<(int[], int[])>();
        foreach (var code in compressed)
        {
            var before = decoder.Codebook.Count;
            decoder.Next(code);
            int[] places = [.. Enumerable.Range(before, decoder.Codebook.Count - before)];
            int[] entries = steps.Count == 0 && code != config.PadTokenId
                ? [.. Enumerable.Repeat(config.PadTokenId, config.MaxCodebookSize * config.MaxSubtokens)]
                : [.. places.SelectMany(place => Padded(decoder.Codebook.Phrase(config.InitialVocabSize + place)))];
            steps.Add((entries, places));
        }

        return Line.Of(("steps", steps), ("codebook", decoder.Codebook.Entries()));
    }

    private IEnumerable<int> Padded(IReadOnlyList<int> phrase) => phrase.Concat(Enumerable.Repeat(config.PadTokenId, config.MaxSubtokens - phrase.Count));

    /// <summary>New ids and the base ids that they stand for.</summary>
    internal sealed class Codebook(Zip2ZipConfig config)
    {
        private readonly List<int[]> _phrases = [];
        private readonly Dictionary<string, int> _ids = [];

        public int Count => _phrases.Count;

        /// <summary>The id of a phrase of two or more, or -1.</summary>
        public int Find(IEnumerable<int> phrase) => _ids.GetValueOrDefault(Key(phrase), -1);

        /// <summary>The base ids of an id.</summary>
        public int[] Phrase(int id) => id < config.InitialVocabSize ? [id] : _phrases[id - config.InitialVocabSize];

        /// <summary>True when an id means something.</summary>
        public bool Knows(int id) => id - config.InitialVocabSize < _phrases.Count;

        /// <summary>Adds a phrase unless it is known, too long, or the book is full.</summary>
        public void Add(int[] phrase)
        {
            if (phrase.Length > config.MaxSubtokens || _phrases.Count >= config.MaxCodebookSize || !_ids.TryAdd(Key(phrase), config.InitialVocabSize + _phrases.Count)) return;
            _phrases.Add(phrase);
        }

        /// <summary>The entries as JSON members.</summary>
        public IEnumerable<KeyValuePair<string, object?>> Entries() => _phrases.Select((phrase, i) => KeyValuePair.Create($"{config.InitialVocabSize + i}", (object?)phrase));

        private static string Key(IEnumerable<int> phrase) => string.Join(' ', phrase);
    }

    /// <summary>Rebuilds the codebook one compressed id behind the encoder.</summary>
    /// <param name="config">Settings.</param>
    /// <param name="skipsPadding">True where padding may stand inside a sequence and means nothing; false where it ends the phrase.</param>
    internal sealed class Decoder(Zip2ZipConfig config, bool skipsPadding = false)
    {
        private List<int> _phrase = [];

        public Codebook Codebook { get; } = new(config);

        /// <summary>The base ids of the next compressed id.</summary>
        /// <exception cref="MediaException">The id is not of this sequence.</exception>
        public int[] Next(int code)
        {
            if (skipsPadding && code == config.PadTokenId) return [];
            if (config.DisabledIds.Contains(code))
            {
                _phrase = [];
                return [code];
            }

            // An id may stand for the entry that is only now complete: the phrase before and its own first id.
            if (!Codebook.Knows(code) && _phrase.Count > 0)
            {
                Codebook.Add([.. _phrase, _phrase[0]]);
                _phrase = [];
            }

            if (!Codebook.Knows(code)) throw new MediaException(ErrorCodes.TokensInvalid, "A compressed id has no entry yet.") { Found = $"{code}" };
            var ids = Codebook.Phrase(code);
            Extend(ids);
            return ids;
        }

        // The phrase grows by the ids while the book knows it; the first that it does not know ends it, and the rest begins the next.
        private void Extend(int[] ids)
        {
            for (var i = 0; i < ids.Length; i++)
            {
                _phrase.Add(ids[i]);
                if (_phrase.Count == 1 || Codebook.Find(_phrase) >= 0) continue;
                Codebook.Add([.. _phrase]);
                _phrase = [.. ids[i..]];
                return;
            }
        }
    }
}
