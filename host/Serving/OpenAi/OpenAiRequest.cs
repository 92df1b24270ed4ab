using System.Text.Json;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Host.Models;
using ModelZoo.Host.Scheduling;
using ModelZoo.Host.Serving.Http;

namespace ModelZoo.Host.Serving.OpenAi;

/// <summary>The body of a request in OpenAI's form. Every field is taken once: as the route's own, as an option of the model, or as one that changes no result; what is left is refused by name.</summary>
internal sealed class OpenAiRequest
{
    // What clients send for their own books, or as hints that no local model has a use for.
    private static readonly string[] WithoutEffect =
        ["user", "metadata", "store", "quality", "style", "background", "moderation", "safety_identifier", "prompt_cache_key", "output_compression", "voice", "instructions", "parallel_tool_calls"];

    // OpenAI's names and those that models use.
    private static readonly Dictionary<string, string[]> Synonyms = new()
    {
        ["max_tokens"] = ["max_tokens", "max_new_tokens"], ["max_completion_tokens"] = ["max_tokens", "max_new_tokens"],
    };

    // What OpenAI sells as speed is a place in the queue here.
    private static readonly Dictionary<string, int?> Tiers = new() { ["auto"] = null, ["default"] = null, ["priority"] = 3, ["flex"] = 7 };

    private readonly JsonObject _fields;
    private readonly ModelNames _names;
    private string? _model;

    private OpenAiRequest(JsonObject fields, RequestTerms terms, ModelNames names)
    {
        (_fields, _names) = (fields, names);
        var tier = Take<string>("service_tier") ?? "auto";
        Terms = Tiers.TryGetValue(tier, out var priority) ? terms with { Priority = priority ?? terms.Priority } : throw new OptionsException(ErrorCodes.OptionRange, "There is no such tier.") { Where = "service_tier", Expected = string.Join(", ", Tiers.Keys), Found = tier };
    }

    /// <summary>What the request asks of the queue: its headers, and <c>service_tier</c>.</summary>
    public RequestTerms Terms { get; }

    /// <summary>Reads a body.</summary>
    /// <exception cref="ModelZooException">It is no JSON object.</exception>
    public static async Task<OpenAiRequest> ReadAsync(HttpContext context) => new(await RequestJson.ReadObjectAsync(context.Request, context.RequestAborted).ConfigureAwait(false), RequestTermsReader.Of(context), context.RequestServices.GetRequiredService<ModelNames>());

    /// <summary>The model's name as the client has it, which its answers repeat.</summary>
    public string ModelName => _model ??= Take<string>("model") ?? throw Missing("model");

    /// <summary>The model.</summary>
    public ModelRequest Model => _names.Find(ModelName);

    /// <summary>The seed; 0 when none is given.</summary>
    public ulong Seed => Take<ulong?>("seed") ?? 0;

    /// <summary>A field, once.</summary>
    /// <exception cref="ModelZooException">It is of another type.</exception>
    public T? Take<T>(string name)
    {
        if (!_fields.Remove(name, out var value) || value is null) return default;
        try
        {
            return value.Deserialize<T>();
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or FormatException)
        {
            throw new ModelZooException("request.malformed", $"The field '{name}' is of another type.", error) { Where = name, Found = value.ToJsonString() };
        }
    }

    /// <summary>A field that must be there.</summary>
    /// <exception cref="ModelZooException">It is not there, or of another type.</exception>
    public T Require<T>(string name) where T : class => Take<T>(name) ?? throw Missing(name);

    /// <summary>What is left, as options of the model.</summary>
    /// <exception cref="OptionsException">The model has no such option.</exception>
    public JsonObject Options(OptionsSchema schema)
    {
        foreach (var name in WithoutEffect) _fields.Remove(name);
        var options = new JsonObject();
        foreach (var (name, value) in _fields.ToList())
        {
            if (value is null) continue;
            var own = Synonyms.GetValueOrDefault(name, [name]).FirstOrDefault(candidate => schema.Options.Any(option => option.Name == candidate)) ?? throw new OptionsException(ErrorCodes.OptionUnknown, $"This model has no option '{name}'.")
            { Where = name, Expected = schema.Options.Count == 0 ? "no options" : string.Join(", ", schema.Options.Select(option => option.Name)) };
            // What may be a text or a list of texts is a list here.
            options[own] = value.GetValueKind() == JsonValueKind.String && schema.Options.First(option => option.Name == own).Kind == "list" ? new JsonArray(value.DeepClone()) : value.DeepClone();
        }

        return options;
    }

    public static ModelZooException Missing(string name) => new("request.malformed", $"The field '{name}' is missing.") { Where = name };
}
