using System.ComponentModel;
using System.Runtime.CompilerServices;
using System.Text.Json;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>Options of making one of the reference's calls.</summary>
public sealed record CallOptions : ModelOptions
{
    /// <summary>The call.</summary>
    [Description("Which of the model's calls is made on the lines given, each a text or a JSON object; without it the first. Several with commas are made one after the other, each with the lines of a file of its own: train,encode.")]
    public string? Call { get; init; }

    /// <summary>Its arguments beside lines and tensors.</summary>
    [Description("Further arguments of the call as JSON, such as {\"k\": 8}.")]
    public string? Arguments { get; init; }
}

/// <summary>The reference's calls as the verb generate: lines of JSON or of text (words of the prompt, or a file) and tensors (a .safetensors file) in; lines or tensors out.</summary>
internal sealed class CallVerb(IReferenceCalls model, IReadOnlyList<string> calls, Modality makes) : IGenerate
{
    public Modality Makes => makes;

    public OptionsSchema GenerateOptions { get; } = OptionsSchema.Of<CallOptions>();

    public async IAsyncEnumerable<Generation> GenerateAsync(Prompt prompt, ModelOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var settings = options.Expect<CallOptions>();
        string[] row = settings.Call?.Split(',', StringSplitOptions.TrimEntries) ?? [calls[0]];
        if (Array.Find(row, call => !calls.Contains(call)) is { } unknown) throw new OptionsException(ErrorCodes.OptionRange, "The model has no such call.") { Where = "call", Expected = string.Join(", ", calls), Found = unknown };
        string[] texts = [.. prompt.Media.OfType<Text>().Select(text => text.Value), .. prompt.Text is { } words ? [words] : Array.Empty<string>()];
        if (row.Length > 1 && texts.Length > row.Length)
            throw new OptionsException(ErrorCodes.OptionRange, "Calls in a row have a file of lines each.") { Where = "call", Expected = $"{row.Length} files at most", Found = $"{texts.Length}" };
        var results = new CallResults();
        var (given, unused) = (new HashSet<string>(), (HashSet<string>?)null);
        for (var i = 0; i < row.Length; i++)
        {
            var arguments = Arguments(prompt, row.Length == 1 ? texts : texts[Math.Min(i, texts.Length)..Math.Min(i + 1, texts.Length)], settings.Arguments, given);
            results = await CallAsync(row[i], arguments, cancel).ConfigureAwait(false);
            if (unused is null) unused = [.. arguments.Unused];
            else unused.IntersectWith(arguments.Unused);
        }

        if (given.FirstOrDefault(unused!.Contains) is { } foreign) throw new OptionsException(ErrorCodes.OptionUnknown, $"'{string.Join(", ", row)}' takes no such argument.") { Where = foreign };
        if (makes == Modality.Tensors && !results.Values.Any(pair => pair.Value is Tensor))
            throw new OptionsException(ErrorCodes.OptionRange, $"The call '{row[^1]}' answers with lines, which calls after it build on; the result is that of the last call.") { Where = "call", Expected = string.Join(", ", calls) };
        yield return makes == Modality.Tensors
            ? Generation<NamedTensors>.Final(new(results.Values.Where(pair => pair.Value is Tensor).ToDictionary(pair => pair.Key, pair => (Tensor)pair.Value)), 1)
            : Generation<Text>.Final(new(Write(results)), 1);
    }

    // What is found wrong on one of many threads is said as it would be on one.
    private async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel)
    {
        try
        {
            return await model.CallAsync(call, arguments, cancel).ConfigureAwait(false);
        }
        catch (AggregateException several) when (several.InnerExceptions[0] is ModelZooException error)
        {
            throw new ModelZooException(error.Code, error.What, error) { Where = error.Where, Expected = error.Expected, Found = error.Found, Remedy = error.Remedy };
        }
    }

    private static CallArguments Arguments(Prompt prompt, string[] texts, string? json, HashSet<string> given)
    {
        var arguments = new CallArguments();
        if (texts.Length > 0) arguments.With("lines", [.. texts.SelectMany(ReadLines)]);
        if (prompt.Media.OfType<NamedTensors>().FirstOrDefault() is { } tensors)
        {
            foreach (var (name, tensor) in tensors.Values) arguments.With(name, tensor);
            arguments.With("tensors", tensors.Values).With("embeddings", tensors.Values);
        }

        if (json is null) return arguments;
        var further = Parse(json, "arguments");
        if (further.ValueKind != JsonValueKind.Object) throw new OptionsException(ErrorCodes.OptionType, "The arguments are no JSON object.") { Where = "arguments", Expected = "{\"name\": value}", Found = json };
        foreach (var member in further.AsMembers())
        {
            arguments.With(member.Name, member.Value);
            given.Add(member.Name);
        }

        return arguments;
    }

    // A line that is no JSON is the text, word or token that a call is about.
    private static IEnumerable<JsonElement> ReadLines(string text)
    {
        var number = 0;
        foreach (var line in text.Split('\n'))
        {
            number++;
            if (string.IsNullOrWhiteSpace(line)) continue;
            yield return line.StartsWith('{') ? Parse(line, $"line {number}") : Line.Of(("text", line), ("word", line), ("token", line));
        }
    }

    private static JsonElement Parse(string json, string where)
    {
        try
        {
            return JsonElement.Parse(json);
        }
        catch (JsonException error)
        {
            throw new MediaException(ErrorCodes.MediaMalformed, $"This is not JSON: {error.Message}", error) { Where = where, Expected = "a JSON object a line", Found = json.Length > 100 ? json[..100] : json };
        }
    }

    // Lines alone are written as they are; several results each on a line under its name.
    private static string Write(CallResults results)
    {
        if (results.Values is [{ Value: IReadOnlyList<JsonElement> only }]) return string.Concat(only.Select(line => line.GetRawText() + "\n"));
        return string.Concat(results.Values.Select(pair => Line.Of((pair.Key, pair.Value switch
        {
            Tensor { Length: 1 } number => number.ToDoubles().Span[0],
            Tensor tensor => Nested(tensor),
            var lines => lines,
        })).GetRawText() + "\n"));
    }

    private static object Nested(Tensor tensor)
    {
        var values = tensor.ToDoubles();
        return values.Rank == 1 ? values.Span.ToArray() : Enumerable.Range(0, (int)values.Shape[0]).Select(row => Nested(values.Slice(row))).ToList();
    }
}
