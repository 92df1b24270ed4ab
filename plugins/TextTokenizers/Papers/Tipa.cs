// Enhancing Character-Level Understanding in LLMs through Token Internal Structure Learning. Xu, Zhao, Zhang, Liu, Shen, Liu, Kuang, He, Liu. arXiv:2411.17679. github.com/FloatFrank/TIPA
// Published layout: the model's tokenizer.json. Deviations: the fine-tuned models are not part of it.
using System.Globalization;
using ModelZoo.Contracts;
using ModelZoo.Networks.Strings;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>The records that the paper trains on: the characters of each token with their places, forward and backward.</summary>
internal static class Tipa
{
    public static ModelArchitecture Architecture { get; } = Paper.Row(
        Paper.Analysis("tipa", "Enhancing Character-Level Understanding in LLMs through Token Internal Structure Learning", "2411.17679",
            ["Zhu Xu", "Zhiqiang Zhao", "Zihan Zhang", "Yuchi Liu", "Quanwei Shen", "Fei Liu", "Yu Kuang", "Jian He", "Conglin Liu"], "FloatFrank/TIPA", "none stated")
            with { Layouts = ["tokenizer.json"], Deviations = "The builder of records; the fine-tuned models are not part of it." },
        source =>
        {
            var tokenizer = new TokenizerSet(source)["tokenizer.json"];
            return new PaperModel(source)
                .OnLines("records", line => Record(tokenizer, line.Member("id").AsInt()))
                .On("vocabulary", _ => new CallResults().Add("lines", [.. tokenizer.Ids.Select(id => Record(tokenizer, id)).Where(record => record.Find("token") is not null)]))
                .Tokenizes(tokenizer);
        });

    private static System.Text.Json.JsonElement Record(PipelineTokenizer tokenizer, int id)
    {
        var text = PythonText.Strip(tokenizer.Decode([id], skipSpecialTokens: true));
        // What does not decode, or is white space alone, has no record.
        if (text.Length == 0 || text.Contains('\uFFFD')) return Line.Of(("token", null));
        var letters = Scalars.Split(text);
        var places = Enumerable.Range(1, letters.Length).Select(place => (place.ToString(CultureInfo.InvariantCulture), letters[place - 1])).ToList();
        return Line.Of(("token", text), ("tipa_forward", places), ("tipa_reverse", Enumerable.Reverse(places)));
    }
}
