using System.Text.Json;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Pipeline;

namespace ModelZoo.Plugins.TextTokenizers.Hosting;

/// <summary>Calls that answer each line of JSON with a line of JSON. A refusal is a line with an <c>error</c>.</summary>
public sealed class LineCalls : IReferenceCalls
{
    private readonly Dictionary<string, Func<CallArguments, CancellationToken, CallResults>> _calls = new(StringComparer.Ordinal);

    /// <summary>Adds a call that takes <c>lines</c> and answers each.</summary>
    public LineCalls Add(string name, Func<JsonElement, JsonObject> answer) => AddWhole(name, (arguments, cancel) =>
    {
        var lines = arguments.Lines("lines").Select(line =>
        {
            cancel.ThrowIfCancellationRequested();
            return ToElement(Answer(answer, line));
        }).ToArray();
        return new CallResults().Add("lines", lines);
    });

    /// <summary>Adds a call that sees all of its arguments.</summary>
    public LineCalls AddWhole(string name, Func<CallArguments, CancellationToken, CallResults> call)
    {
        _calls[name] = call;
        return this;
    }

    /// <inheritdoc/>
    public ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default) => _calls.TryGetValue(call, out var found)
        ? ValueTask.FromResult(found(arguments, cancel))
        : throw new ModelZooException(ErrorCodes.VerbUnsupported, "The model has no such call.") { Expected = string.Join(", ", _calls.Keys), Found = call };

    /// <summary>A node as an element.</summary>
    public static JsonElement ToElement(JsonNode? node) => JsonSerializer.SerializeToElement(node);

    /// <summary>Whole numbers as a JSON array.</summary>
    public static JsonArray ToArray(IEnumerable<int> values) => [.. values.Select(value => (JsonNode)value)];

    /// <summary>Texts as a JSON array.</summary>
    public static JsonArray ToArray(IEnumerable<string?> values) => [.. values.Select(value => (JsonNode?)value)];

    /// <summary>Ranges as a JSON array of pairs.</summary>
    public static JsonArray ToArray(IEnumerable<(int Start, int End)> values) => [.. values.Select(value => new JsonArray(value.Start, value.End))];

    private static JsonObject Answer(Func<JsonElement, JsonObject> answer, JsonElement line)
    {
        try
        {
            return answer(line);
        }
        catch (Exception error) when (error is TruncationException or ModelZooException)
        {
            return new() { ["error"] = error.Message };
        }
    }
}
