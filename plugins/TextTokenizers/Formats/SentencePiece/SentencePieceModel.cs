using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Hosting;
using ModelZoo.Plugins.TextTokenizers.Papers;
using ModelZoo.Plugins.TextTokenizers.Pipeline;

namespace ModelZoo.Plugins.TextTokenizers.Formats.SentencePiece;

/// <summary>The architecture <c>text-tokenizers/sentencepiece</c>: a folder with a <c>.model</c> file.</summary>
internal static class SentencePieceModel
{
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "text-tokenizers/sentencepiece",
            Paper = "SentencePiece: A simple and language independent subword tokenizer and detokenizer for Neural Text Processing",
            ArXiv = "1808.06226",
            Authors = ["Taku Kudo", "John Richardson"],
            Repository = "google/sentencepiece",
            CodeLicense = "Apache-2.0",
            Inputs = [Modality.Text],
            Outputs = [Modality.Tokens],
            Layouts = ["*.model (tokenizer.model, spiece.model, sentencepiece.bpe.model)"],
        },
        (source, _) =>
        {
            var folder = source.RequireFolder();
            var file = source.Parts.FirstOrDefault()?.File
                ?? Directory.EnumerateFiles(folder, "*.model").Order(StringComparer.Ordinal).Select(Path.GetFileName).FirstOrDefault()
                ?? throw new CheckpointException(ErrorCodes.CheckpointMissing, "There is no SentencePiece model.") { Where = folder, Expected = "*.model" };
            var tokenizer = new SentencePieceTokenizer(SentencePieceFile.Load(Path.Combine(folder, file)));
            return ValueTask.FromResult<IModel>(new TextTokenizerModel(source, tokenizer, Calls(tokenizer)));
        });

    internal static LineCalls Calls(SentencePieceTokenizer tokenizer) => new LineCalls()
        .Add("encode", line => Answer(tokenizer, line))
        .Add("pieces", line => Describe(tokenizer, line.Member("id").AsInt()))
        .Add("decode", line => Decode(tokenizer, line))
        .Add("normalize", line => new() { ["normalized"] = tokenizer.Normalize(line.Member("text").AsText()) })
        .Add("calculate_entropy", line => new() { ["entropy"] = tokenizer.CalculateEntropy(line.Member("text").AsText(), (float)line.Member("alpha").AsDouble()) })
        .Add("nbest_encode", line => new()
        {
            ["nbests"] = new JsonArray([.. tokenizer.EncodeNBest(line.Member("text").AsText(), line.Member("nbest").AsInt())
                .Select(best => new JsonObject { ["ids"] = LineCalls.ToArray(best.Pieces.Select(piece => piece.Id)), ["score"] = best.Score })]),
        });

    private static JsonObject Answer(SentencePieceTokenizer tokenizer, JsonElement line)
    {
        if (!line.TryGetProperty("text", out _)) return Decode(tokenizer, line);
        var text = line.Member("text").AsText();
        var utf8 = Encoding.UTF8.GetBytes(text);
        var pieces = tokenizer.Encode(utf8);
        var options = line.TryGetProperty("options", out var value) ? value : default;
        if (Flag("reverse")) pieces.Reverse();
        if (Flag("add_bos") && tokenizer.StartId is { } start) pieces.Insert(0, new(start, tokenizer.File.StartPiece, 0, 0));
        if (Flag("add_eos") && tokenizer.EndId is { } end) pieces.Add(new(end, tokenizer.File.EndPiece, utf8.Length, utf8.Length));
        if (Flag("emit_unk_piece")) pieces = [.. pieces.Select(piece => (tokenizer.IdOf(piece.Text) ?? tokenizer.UnknownId) == tokenizer.UnknownId ? piece with { Text = tokenizer.File.UnknownPiece } : piece)];
        int[] ids = [.. pieces.Select(piece => piece.Id)];
        var length = text.EnumerateRunes().Count();
        var offsets = new OffsetMap(utf8, OffsetUnit.CodePoint);
        return new()
        {
            ["ids"] = LineCalls.ToArray(ids),
            ["tokens"] = LineCalls.ToArray(pieces.Select(piece => piece.Text)),
            ["offsets"] = LineCalls.ToArray(pieces.Select(piece => piece.Start < utf8.Length ? offsets.Convert(piece.Start, piece.End) : (length, length))),
            ["normalized"] = tokenizer.Normalize(text),
            ["decoded"] = tokenizer.Decode(ids),
            ["decoded_from_pieces"] = tokenizer.DecodePieces([.. pieces.Select(piece => piece.Text)]),
        };

        bool Flag(string name) => options.ValueKind == JsonValueKind.Object && options.TryGetProperty(name, out var flag) && flag.AsFlag();
    }

    private static JsonObject Decode(SentencePieceTokenizer tokenizer, JsonElement line) => new()
    {
        ["decoded"] = line.TryGetProperty("ids", out var ids)
            ? tokenizer.Decode([.. ids.AsList().Select(id => id.AsInt())])
            : tokenizer.DecodePieces([.. line.Member("pieces").AsList().Select(piece => piece.AsText())]),
    };

    private static JsonObject Describe(SentencePieceTokenizer tokenizer, int id)
    {
        var piece = tokenizer.PieceOf(id);
        return new()
        {
            ["piece"] = piece.Text,
            ["score"] = piece.Score,
            ["unknown"] = piece.Type == PieceType.Unknown,
            ["control"] = piece.Type == PieceType.Control,
            ["unused"] = piece.Type == PieceType.Unused,
            ["byte"] = piece.Type == PieceType.Byte,
        };
    }
}
