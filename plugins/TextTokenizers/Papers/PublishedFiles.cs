// Papers whose tokenizers are published as tokenizer.json and run by the library as they are:
// Binary BPE: A Family of Cross-Platform Tokenizers for Binary Analysis. Bommarito. arXiv:2511.17573. github.com/mjbommar/binary-bpe
// CompoundPiece: Evaluating and Improving Decompounding Performance of Language Models. Minixhofer, Pfeiffer, Vulić. arXiv:2305.14214. github.com/bminixhofer/compoundpiece (SentencePiece models)
// KL3M Tokenizers: A Family of Domain-Specific and Character-Level Tokenizers for Legal, Financial, and Preprocessing Applications. Bommarito, Katz, Bommarito. arXiv:2503.17247. github.com/alea-institute/kl3m-tokenizers
using System.Text;
using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Formats;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>Rows that differ from tokenizer.json by their card alone, or by taking bytes.</summary>
internal static class PublishedFiles
{
    public static ModelArchitecture Kl3m { get; } = new(
        Paper.Tokenizer("kl3m-tokenizers", "KL3M Tokenizers: A Family of Domain-Specific and Character-Level Tokenizers for Legal, Financial, and Preprocessing Applications", "2503.17247",
            ["Michael J Bommarito", "Daniel Martin Katz", "Jillian Bommarito"], "alea-institute/kl3m-tokenizers", "MIT") with { Layouts = ["tokenizer.json"] },
        TokenizerJsonModel.Architecture.Open);

    /// <summary>SentencePiece models that were trained on text split into the constituents of compounds; the decompounding model itself is not part of it.</summary>
    public static ModelArchitecture CompoundPiece { get; } = new(
        Paper.Tokenizer("compoundpiece", "CompoundPiece: Evaluating and Improving Decompounding Performance of Language Models", "2305.14214", ["Benjamin Minixhofer", "Jonas Pfeiffer", "Ivan Vulić"], "bminixhofer/compoundpiece", "none stated")
            with { Layouts = ["tokenizer.model"], Deviations = "The tokenizers; not the model that splits compounds." },
        Formats.SentencePiece.SentencePieceModel.Architecture.Open);

    /// <summary>Each byte is the code point of the same number; there are no pre-tokens.</summary>
    public static ModelArchitecture BinaryBpe { get; } = Paper.Row(
        Paper.Tokenizer("binary-bpe", "Binary BPE: A Family of Cross-Platform Tokenizers for Binary Analysis", "2511.17573", ["Michael J. Bommarito II"], "mjbommar/binary-bpe", "Apache-2.0") with { Inputs = [Modality.Tensors, Modality.Text], Layouts = ["tokenizer.json"] },
        source =>
        {
            var tokenizer = TokenizerJson.Load(TokenizerJsonModel.PathOf(source));
            return new PaperModel(source)
                .OnLines("encode", line => Line.Of(("ids", tokenizer.EncodePlain(Encoding.Latin1.GetString(line.Bytes())).Ids)))
                .With(new ByteVerbs(source.Id.ToString(), tokenizer));
        });
}
