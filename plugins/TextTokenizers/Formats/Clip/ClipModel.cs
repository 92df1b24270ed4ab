using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Hosting;
using ModelZoo.Plugins.TextTokenizers.Papers;

namespace ModelZoo.Plugins.TextTokenizers.Formats.Clip;

/// <summary>The architecture <c>text-tokenizers/clip</c>: CLIP's merges.</summary>
internal static class ClipModel
{
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "text-tokenizers/clip",
            Paper = "Learning Transferable Visual Models From Natural Language Supervision",
            ArXiv = "2103.00020",
            Authors = ["Alec Radford", "Jong Wook Kim", "Chris Hallacy", "Aditya Ramesh", "Gabriel Goh", "Sandhini Agarwal", "Girish Sastry", "Amanda Askell", "Pamela Mishkin", "Jack Clark", "Gretchen Krueger", "Ilya Sutskever"],
            Repository = "openai/CLIP",
            CodeLicense = "MIT",
            Inputs = [Modality.Text],
            Outputs = [Modality.Tokens],
            Layouts = ["bpe_simple_vocab_16e6.txt.gz"],
            Deviations = "The spans of tokens are those in the cleaned text.",
        },
        (source, _) =>
        {
            var file = source.Parts.Count > 0 ? source.Parts[0].File : "bpe_simple_vocab_16e6.txt.gz";
            var tokenizer = ClipTokenizer.Load(Path.Combine(source.RequireFolder(), file));
            return ValueTask.FromResult<IModel>(new TextTokenizerModel(source, tokenizer, Calls(tokenizer)));
        });

    private static LineCalls Calls(ClipTokenizer tokenizer) => new LineCalls().Add("encode", line =>
    {
        var text = line.Member("text").AsText();
        var ids = tokenizer.EncodeToIds(text);
        return new() { ["ids"] = LineCalls.ToArray(ids), ["decoded"] = tokenizer.Decode(ids), ["cleaned"] = ClipTokenizer.Clean(text) };
    });
}
