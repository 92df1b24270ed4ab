using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http.Features;
using ModelZoo.Contracts;
using ModelZoo.Host.Media;

namespace ModelZoo.Host.Serving.Http;

/// <summary>
/// What a request asks of a verb. The same in three forms: JSON (<c>{"input": media, "prompt": "...", "seed": 1, "options": {...}}</c>), a form with files (the same names as fields, each file an input), or the bare media as
/// body with everything else in the query.
/// </summary>
/// <param name="Inputs">The media, in order.</param>
/// <param name="Prompt">Words to generate from.</param>
/// <param name="Seed">Seed of whatever is drawn.</param>
/// <param name="Options">Options of the model.</param>
internal sealed record VerbRequest(IReadOnlyList<Contracts.Media> Inputs, string? Prompt, ulong Seed, JsonObject Options)
{
    private static readonly string[] Fields = ["input", "inputs", "prompt", "seed", "options"];

    /// <summary>The one input.</summary>
    /// <exception cref="MediaException">There is none, or there are several.</exception>
    public Contracts.Media Input => Inputs.Count == 1 ? Inputs[0]
        : throw new MediaException(ErrorCodes.MediaUnsupported, "The request needs one input.") { Expected = "\"input\" in JSON, one file of a form, or the media as body", Found = $"{Inputs.Count} inputs" };

    /// <summary>Reads a request.</summary>
    /// <exception cref="ModelZooException">It cannot be understood.</exception>
    public static async Task<VerbRequest> ReadAsync(HttpRequest request, ServerSettings settings, CancellationToken cancel)
    {
        if (request.Headers.ContentEncoding.Count > 0) throw new ModelZooException("request.media-type", "Compressed bodies are not taken.") { Found = request.Headers.ContentEncoding };
        List<KeyValuePair<string, string?>> query = request.QueryString.HasValue ? [.. request.Query.Select(pair => KeyValuePair.Create(pair.Key, (string?)pair.Value))] : [];
        if (request.HasFormContentType) return await FromFormAsync(await ReadFormAsync(request, settings, cancel).ConfigureAwait(false), query, settings, cancel).ConfigureAwait(false);
        if (request.ContentType is null && request.ContentLength is null or 0) return FromText([], query);
        if (request.ContentType is not { } type || MediaTypes.Extension(type) is not { } extension)
            throw new ModelZooException("request.media-type", "Bodies of this kind are not taken.") { Expected = "application/json, multipart/form-data, or media such as audio/wav, image/png, text/plain", Found = request.ContentType ?? "no Content-Type" };
        var body = await ReadBodyAsync(request, cancel).ConfigureAwait(false);
        return extension == ".json" ? await FromJsonAsync(body, query, settings, cancel).ConfigureAwait(false) : FromText([await MediaAsync(body, extension, settings, cancel).ConfigureAwait(false)], query);
    }

    // Files stay in memory, as bare bodies do: a full disk refuses no upload, and none is left on one.
    private static async Task<IFormCollection> ReadFormAsync(HttpRequest request, ServerSettings settings, CancellationToken cancel)
    {
        var limits = new FormOptions { MemoryBufferThreshold = int.MaxValue, MultipartBodyLengthLimit = settings.BodyLimit, ValueLengthLimit = (int)Math.Min(settings.BodyLimit, int.MaxValue) };
        try
        {
            return await request.ReadFormAsync(limits, cancel).ConfigureAwait(false);
        }
        catch (Exception error) when (error is InvalidDataException or IOException and not BadHttpRequestException)
        {
            throw new ModelZooException("request.malformed", $"The form cannot be read: {error.Message}", error);
        }
    }

    // What is claimed is not allocated before it comes; a body of the claimed length is not copied again.
    private static async Task<byte[]> ReadBodyAsync(HttpRequest request, CancellationToken cancel)
    {
        var claimed = request.ContentLength ?? 0;
        var (bytes, length) = (GC.AllocateUninitializedArray<byte>((int)Math.Clamp(claimed == 0 ? 4096 : claimed, 1, 1 << 20)), 0);
        while (true)
        {
            if (length == bytes.Length && length != claimed) Array.Resize(ref bytes, (int)Math.Min(Array.MaxLength, claimed > length ? Math.Min(claimed, 2L * length) : 2L * length));
            var read = length == bytes.Length ? 0 : await request.Body.ReadAsync(bytes.AsMemory(length), cancel).ConfigureAwait(false);
            if (read == 0) return length == bytes.Length ? bytes : bytes[..length];
            length += read;
        }
    }

    private static async Task<VerbRequest> FromJsonAsync(byte[] body, List<KeyValuePair<string, string?>> query, ServerSettings settings, CancellationToken cancel)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            var root = document.RootElement;
            RequestJson.Check(root);
            if (root.ValueKind != JsonValueKind.Object) throw Malformed("the body is a JSON object", root.ValueKind.ToString());
            var (inputs, prompt, seed, options) = (new List<Contracts.Media>(), (string?)null, (ulong?)null, new JsonObject());
            foreach (var field in root.EnumerateObject())
            {
                if (field.Value.ValueKind == JsonValueKind.Null) continue;
                switch (field.Name)
                {
                    case "input": inputs.Add(await MediaJson.ReadAsync(field.Value, "input", cancel, settings.PixelLimit).ConfigureAwait(false)); break;
                    case "inputs":
                        foreach (var input in field.Value.EnumerateArray()) inputs.Add(await MediaJson.ReadAsync(input, "inputs", cancel, settings.PixelLimit).ConfigureAwait(false));
                        break;
                    case "prompt": prompt = field.Value.GetString(); break;
                    case "seed": seed = field.Value.GetUInt64(); break;
                    case "options": options = JsonObject.Create(field.Value.Clone()) ?? []; break;
                    default: throw Unknown(field.Name);
                }
            }

            var rest = FromText(inputs, query);
            foreach (var (name, value) in rest.Options) options.TryAdd(name, value?.DeepClone());
            return new(inputs, prompt ?? rest.Prompt, seed ?? rest.Seed, options);
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or FormatException)
        {
            throw new ModelZooException("request.malformed", $"The body is not the JSON that was expected: {error.Message}", error);
        }
    }

    private static async Task<VerbRequest> FromFormAsync(IFormCollection form, List<KeyValuePair<string, string?>> query, ServerSettings settings, CancellationToken cancel)
    {
        var inputs = new List<Contracts.Media>();
        foreach (var file in form.Files)
        {
            var extension = MediaTypes.Extension(file.ContentType) ?? (MediaTypes.OfFile(file.FileName) is null ? null : Path.GetExtension(file.FileName).ToLowerInvariant());
            if (extension is null) throw new ModelZooException("request.media-type", "A file of the form is of no kind that is read.") { Where = file.Name, Found = file.ContentType };
            using var bytes = new MemoryStream();
            await file.CopyToAsync(bytes, cancel).ConfigureAwait(false);
            inputs.Add(await MediaAsync(bytes.ToArray(), extension, settings, cancel).ConfigureAwait(false));
        }

        var fields = form.Where(field => field.Key is not ("options" or "input")).Select(field => KeyValuePair.Create(field.Key, (string?)field.Value));
        inputs.AddRange(form["input"].OfType<string>().Select(text => new Text(text)));
        var request = FromText(inputs, query.Concat(fields));
        if (form["options"] is not [{ } json]) return request;
        try
        {
            foreach (var (name, value) in JsonNode.Parse(json) as JsonObject ?? throw Malformed("\"options\" is a JSON object", json)) request.Options[name] = value?.DeepClone();
        }
        catch (JsonException error)
        {
            throw new ModelZooException("request.malformed", $"The field \"options\" is not JSON: {error.Message}", error);
        }

        return request;
    }

    // Names that are not the request's own are options of the model, as text.
    private static VerbRequest FromText(IReadOnlyList<Contracts.Media> inputs, IEnumerable<KeyValuePair<string, string?>> values)
    {
        var (prompt, seed, options) = ((string?)null, 0ul, new JsonObject());
        foreach (var (name, value) in values)
        {
            if (name == "prompt") prompt = value;
            else if (name == "seed") seed = ulong.TryParse(value, CultureInfo.InvariantCulture, out var number) ? number : throw new OptionsException(ErrorCodes.OptionType, "The seed is a number from 0.") { Where = "seed", Found = value };
            else options[name] = value;
        }

        return new(inputs, prompt, seed, options);
    }

    private static ValueTask<Contracts.Media> MediaAsync(byte[] body, string extension, ServerSettings settings, CancellationToken cancel) => MediaFiles.ReadAsync(body, extension, "the request", cancel, settings.PixelLimit);

    private static ModelZooException Malformed(string expected, string found) => new("request.malformed", "The request cannot be understood.") { Expected = expected, Found = found };

    private static ModelZooException Unknown(string name) => new("request.malformed", $"There is no field '{name}'.")
    {
        Where = name, Expected = string.Join(", ", Fields), Remedy = Names.Nearest(name, Fields) is { } nearest ? $"Did you mean '{nearest}'?" : "Options of the model belong into \"options\".",
    };
}
