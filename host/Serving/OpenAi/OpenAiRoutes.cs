using System.Globalization;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Host.Media;
using ModelZoo.Host.Models;
using ModelZoo.Host.Scheduling;
using ModelZoo.Host.Serving.Http;

namespace ModelZoo.Host.Serving.OpenAi;

/// <summary>
/// OpenAI's routes over the models that fit: text from words, pictures from words, sound from words, vectors from text. <c>GET /v1/models</c> is the host's own and has OpenAI's fields. A model's own options are further fields
/// of the body.
/// </summary>
internal static class OpenAiRoutes
{
    private sealed record Message(string Role, JsonNode? Content)
    {
        // Content is a text, or parts of which the texts count.
        public string Text => Content is JsonArray parts ? string.Concat(parts.Where(part => (string?)part?["type"] == "text").Select(part => (string?)part!["text"])) : (string?)Content ?? "";
    }

    public static void Map(IEndpointRouteBuilder routes)
    {
        var openAi = routes.MapGroup("/v1").WithMetadata(new ApiDescription.Queued());
        openAi.MapPost("/chat/completions", (HttpContext context, ModelVerbs verbs, TimeProvider clock) => ChatAsync(context, verbs, clock)).WithSummary("OpenAI: text from a conversation.");
        openAi.MapPost("/completions", (HttpContext context, ModelVerbs verbs, TimeProvider clock) => CompleteAsync(context, verbs, clock)).WithSummary("OpenAI: text that continues text.");
        openAi.MapPost("/images/generations", (HttpContext context, ModelVerbs verbs, TimeProvider clock) => DrawAsync(context, verbs, clock)).WithSummary("OpenAI: pictures from words.");
        openAi.MapPost("/audio/speech", (HttpContext context, ModelVerbs verbs) => SpeakAsync(context, verbs)).WithSummary("OpenAI: sound from words.");
        openAi.MapPost("/embeddings", (HttpContext context, ModelVerbs verbs) => EmbedAsync(context, verbs)).WithSummary("OpenAI: vectors of texts.");
    }

    private static async Task<IResult> ChatAsync(HttpContext context, ModelVerbs verbs, TimeProvider clock)
    {
        var request = await OpenAiRequest.ReadAsync(context).ConfigureAwait(false);
        verbs = verbs.For(request.Terms);
        var raw = request.Require<JsonArray>("messages");
        var messages = raw.Select(message => new Message((string?)(message as JsonObject)?["role"] ?? throw OpenAiRequest.Missing("messages[].role"), message!["content"])).ToList();
        if (messages.Count == 0) throw OpenAiRequest.Missing("messages");

        // One message is the prompt as it stands; a conversation is written out, which every text model can continue.
        var prompt = messages is [var only] ? only.Text : string.Concat(messages.Select(message => $"{message.Role}: {message.Text}\n")) + "assistant:";
        return await AnswerAsync(context, verbs, clock, request, prompt, new(
            "chatcmpl-", "chat.completion", "chat.completion.chunk",
            (text, reason) => new() { ["index"] = 0, ["message"] = new JsonObject { ["role"] = "assistant", ["content"] = text, ["refusal"] = null }, ["logprobs"] = null, ["finish_reason"] = reason },
            (text, reason, first) => new() { ["index"] = 0, ["delta"] = Delta(text, first), ["logprobs"] = null, ["finish_reason"] = reason })).ConfigureAwait(false);
    }

    private static async Task<IResult> CompleteAsync(HttpContext context, ModelVerbs verbs, TimeProvider clock)
    {
        var request = await OpenAiRequest.ReadAsync(context).ConfigureAwait(false);
        verbs = verbs.For(request.Terms);
        static JsonObject Choice(string? text, string? reason, bool first = false) => new() { ["index"] = 0, ["text"] = text ?? "", ["logprobs"] = null, ["finish_reason"] = reason };
        return await AnswerAsync(context, verbs, clock, request, request.Require<string>("prompt"), new("cmpl-", "text_completion", "text_completion", static (text, reason) => Choice(text, reason), Choice)).ConfigureAwait(false);
    }

    // A stream says once who speaks.
    private static JsonObject Delta(string? text, bool first)
    {
        var delta = new JsonObject();
        if (first) delta["role"] = "assistant";
        if (first || text is not null) delta["content"] = text ?? "";
        return delta;
    }

    private sealed record CompletionForm(string Prefix, string Object, string ChunkObject, Func<string?, string?, JsonObject> Choice, Func<string?, string?, bool, JsonObject> Chunk);

    private static async Task<IResult> AnswerAsync(HttpContext context, ModelVerbs verbs, TimeProvider clock, OpenAiRequest request, string prompt, CompletionForm form)
    {
        var cancel = context.RequestAborted;
        var (model, name, seed, stream) = (request.Model, request.ModelName, request.Seed, request.Take<bool?>("stream") ?? false);
        if (request.Take<int?>("n") is > 1) throw new OptionsException(ErrorCodes.OptionRange, "One answer is given to a request.") { Where = "n", Expected = "1" };
        var usage = (bool?)request.Take<JsonObject>("stream_options")?["include_usage"] ?? false;
        var options = await OptionsAsync(verbs, model, request, Modality.Text, cancel).ConfigureAwait(false);
        var (id, created) = (form.Prefix + Guid.NewGuid().ToString("N"), clock.GetUtcNow().ToUnixTimeSeconds());
        JsonObject Envelope(string kind, JsonArray choices) => new() { ["id"] = id, ["object"] = kind, ["created"] = created, ["model"] = name, ["system_fingerprint"] = $"modelzoo-{Hosting.Zoo.Version}", ["choices"] = choices };
        JsonObject Chunk(JsonArray choices)
        {
            var chunk = Envelope(form.ChunkObject, choices);
            if (usage) chunk["usage"] = null; // but in the last, which has no choices
            return chunk;
        }

        if (!stream)
        {
            var text = (await verbs.GenerateAsync(model, new(prompt), options, seed, static _ => { }, cancel).ConfigureAwait(false)).Value.Expect<Text>().Value;
            var counted = await UsageAsync(verbs, model, prompt, text, cancel).ConfigureAwait(false);
            var answer = Envelope(form.Object, [form.Choice(text, Reason(options, counted))]);
            answer["usage"] = counted;
            return TypedResults.Ok(answer);
        }

        var events = await ServerSentEvents.StartAsync(context).ConfigureAwait(false);
        var (sent, first) = ("", true);
        async Task SendAsync(string text)
        {
            if (text.Length <= sent.Length || !text.StartsWith(sent, StringComparison.Ordinal)) return;
            await events.WriteAsync(null, Chunk([form.Chunk(text[sent.Length..], null, first)]), cancel).ConfigureAwait(false);
            (sent, first) = (text, false);
        }

        try
        {
            var steps = System.Threading.Channels.Channel.CreateBounded<string>(new System.Threading.Channels.BoundedChannelOptions(1) { FullMode = System.Threading.Channels.BoundedChannelFullMode.DropOldest }); // the latest text holds all before it
            var run = Run();
            await foreach (var text in steps.Reader.ReadAllAsync(cancel).ConfigureAwait(false)) await SendAsync(text).ConfigureAwait(false);
            var whole = (await run.ConfigureAwait(false)).Value.Expect<Text>().Value;
            if (!whole.StartsWith(sent, StringComparison.Ordinal)) throw new ModelZooException(ErrorCodes.VerbUnsupported, "This model changes what it had written, and a stream cannot take words back.") { Remedy = "Ask without \"stream\"." };
            await SendAsync(whole).ConfigureAwait(false);
            var counted = await UsageAsync(verbs, model, prompt, whole, cancel).ConfigureAwait(false);
            await events.WriteAsync(null, Chunk([form.Chunk(null, Reason(options, counted), first)]), cancel).ConfigureAwait(false);
            if (usage)
            {
                var last = Chunk([]);
                last["usage"] = counted;
                await events.WriteAsync(null, last, cancel).ConfigureAwait(false);
            }

            async Task<VerbResult<Contracts.Media>> Run()
            {
                try
                {
                    return await verbs.GenerateAsync(model, new(prompt), options, seed, step => { if (step.Value is Text text) steps.Writer.TryWrite(text.Value); }, cancel).ConfigureAwait(false);
                }
                finally
                {
                    steps.Writer.Complete();
                }
            }
        }
        catch (Exception error) when (Problems.Known(error) is { } known && !cancel.IsCancellationRequested)
        {
            await events.WriteAsync(null, Error(known, Problems.Status(known, error)), cancel).ConfigureAwait(false);
        }

        await events.WriteAsync(null, "[DONE]", cancel).ConfigureAwait(false);
        return TypedResults.Empty;
    }

    private static async Task<IResult> DrawAsync(HttpContext context, ModelVerbs verbs, TimeProvider clock)
    {
        var cancel = context.RequestAborted;
        var request = await OpenAiRequest.ReadAsync(context).ConfigureAwait(false);
        verbs = verbs.For(request.Terms);
        var (model, seed, prompt, count) = (request.Model, request.Seed, request.Require<string>("prompt"), request.Take<int?>("n") ?? 1);
        if (count is < 1 or > 10) throw new OptionsException(ErrorCodes.OptionRange, "So many pictures are not drawn at once.") { Where = "n", Expected = "1..10", Found = $"{count}" };
        var format = request.Take<string>("response_format") ?? "b64_json";
        if (format is not ("b64_json" or "url")) throw new OptionsException(ErrorCodes.OptionRange, "Pictures have no such form.") { Where = "response_format", Expected = "b64_json, url (which holds the picture itself)", Found = format };
        Only(request, "output_format", "png");
        Only(request, "size", "auto"); // a model's own option says its size, where it has one
        if (request.Take<bool?>("stream") == true) throw new OptionsException(ErrorCodes.OptionRange, "Pictures are not streamed here.") { Where = "stream", Remedy = "POST /v1/models/{family}/{name}/generate streams partial pictures." };
        var options = await OptionsAsync(verbs, model, request, Modality.Image, cancel).ConfigureAwait(false);
        var results = await Task.WhenAll(Enumerable.Range(0, count).Select(i => verbs.GenerateAsync(model, new(prompt), options, seed + (ulong)i, static _ => { }, cancel))).ConfigureAwait(false);
        return TypedResults.Ok(new JsonObject
        {
            ["created"] = clock.GetUtcNow().ToUnixTimeSeconds(),
            ["data"] = new JsonArray([.. results.Select(result => (string?)MediaJson.Write(result.Value)["data"]).Select(data => (JsonNode)new JsonObject { [format] = format == "url" ? $"data:image/png;base64,{data}" : data })]),
            ["output_format"] = "png",
        });
    }

    private static async Task<IResult> SpeakAsync(HttpContext context, ModelVerbs verbs)
    {
        var cancel = context.RequestAborted;
        var request = await OpenAiRequest.ReadAsync(context).ConfigureAwait(false);
        verbs = verbs.For(request.Terms);
        var (model, seed, input, format) = (request.Model, request.Seed, request.Require<string>("input"), request.Take<string>("response_format") ?? "wav");
        if (format is not ("wav" or "pcm")) throw new OptionsException(ErrorCodes.OptionRange, "Sound is sent uncompressed here.") { Where = "response_format", Expected = "wav, pcm", Found = format };
        var options = await OptionsAsync(verbs, model, request, Modality.Audio, cancel).ConfigureAwait(false);
        var audio = (await verbs.GenerateAsync(model, new(input), options, seed, static _ => { }, cancel).ConfigureAwait(false)).Value.Expect<Audio>();
        using var body = new MemoryStream();
        if (format == "wav")
        {
            WavFile.Write(body, audio);
            return TypedResults.Bytes(body.ToArray(), "audio/wav");
        }

        using var writer = new BinaryWriter(body);
        foreach (var sample in audio.Samples.Span[..audio.Length]) writer.Write((short)Math.Round(Math.Clamp(sample, -1, 1) * short.MaxValue));
        return TypedResults.Bytes(body.ToArray(), string.Create(CultureInfo.InvariantCulture, $"audio/pcm;rate={audio.SampleRate}"));
    }

    private static async Task<IResult> EmbedAsync(HttpContext context, ModelVerbs verbs)
    {
        var cancel = context.RequestAborted;
        var request = await OpenAiRequest.ReadAsync(context).ConfigureAwait(false);
        verbs = verbs.For(request.Terms);
        var (model, name, format, given) = (request.Model, request.ModelName, request.Take<string>("encoding_format") ?? "float", request.Require<JsonNode>("input"));
        if (format is not ("float" or "base64")) throw new OptionsException(ErrorCodes.OptionRange, "Vectors have no such form.") { Where = "encoding_format", Expected = "float, base64", Found = format };
        string[] texts = given is JsonArray list ? [.. list.Select(text => text is JsonValue value && value.TryGetValue(out string? words) ? words : throw new ModelZooException("request.malformed", "The input is text.") { Where = "input", Expected = "a text or a list of texts" })] : [(string?)given ?? ""];
        if (texts.Length is 0 or > 2048) throw new OptionsException(ErrorCodes.OptionRange, "So many texts are not taken.") { Where = "input", Expected = "1..2048 texts", Found = $"{texts.Length}" };
        var options = await OptionsAsync(verbs, model, request, Modality.Tensors, cancel).ConfigureAwait(false);
        var data = new JsonArray();
        foreach (var text in texts)
        {
            var tensors = (await verbs.GenerateAsync(model, new(text), options, 0, static _ => { }, cancel).ConfigureAwait(false)).Value.Expect<NamedTensors>().Values;
            if (!tensors.TryGetValue("embedding", out var tensor) || tensor is not Tensor<float> vector) throw new ModelZooException(ErrorCodes.VerbUnsupported, $"{model.Id} gives no embedding.") { Expected = "a float tensor named 'embedding'", Found = string.Join(", ", tensors.Keys) };
            JsonNode value = format == "float" ? new JsonArray([.. vector.Span.ToArray().Select(number => (JsonNode)number)]) : Convert.ToBase64String(vector.Bytes);
            data.Add((JsonNode)new JsonObject { ["object"] = "embedding", ["index"] = data.Count, ["embedding"] = value });
        }

        return TypedResults.Ok(new JsonObject { ["object"] = "list", ["data"] = data, ["model"] = name, ["usage"] = new JsonObject { ["prompt_tokens"] = 0, ["total_tokens"] = 0 } });
    }

    private static Task<JsonObject> OptionsAsync(ModelVerbs verbs, ModelRequest model, OpenAiRequest request, Modality makes, CancellationToken cancel) => verbs.InspectAsync(model, (lease, _) =>
    {
        var generator = lease.Model.Get<IGenerate>();
        return generator.Makes == makes ? Task.FromResult(request.Options(generator.GenerateOptions)) : throw new ModelZooException(ErrorCodes.VerbUnsupported, $"{model.Id} does not fit this route.")
        { Expected = $"a model that makes {makes.ToString().ToLowerInvariant()}", Found = $"one that makes {generator.Makes.ToString().ToLowerInvariant()}", Remedy = "POST /v1/models/{family}/{name}/generate takes every model." };
    }, cancel);

    // Counted with the model's own tokenizer, where it has one.
    private static Task<JsonObject> UsageAsync(ModelVerbs verbs, ModelRequest model, string prompt, string answer, CancellationToken cancel) => verbs.InspectAsync(model, async (lease, stop) =>
    {
        async Task<int> Count(string text) => lease.Model.Find<ITokenize>() is { Takes: Modality.Text } tokenizer ? (await tokenizer.TokenizeAsync(new Text(text), tokenizer.TokenizeOptions.Defaults, stop).ConfigureAwait(false)).Ids.Length : 0;
        var (asked, given) = (await Count(prompt).ConfigureAwait(false), await Count(answer).ConfigureAwait(false));
        return new JsonObject { ["prompt_tokens"] = asked, ["completion_tokens"] = given, ["total_tokens"] = asked + given };
    }, cancel);

    // A text as long as was allowed may have been cut off; where the model has no tokenizer nobody counts.
    private static string Reason(JsonObject options, JsonObject usage) =>
        options.FirstOrDefault(option => option.Key is "max_tokens" or "max_new_tokens").Value is { } most && int.TryParse(most.ToString(), NumberStyles.None, CultureInfo.InvariantCulture, out var limit) && (int?)usage["completion_tokens"] >= limit ? "length" : "stop";

    private static void Only(OpenAiRequest request, string name, string value)
    {
        if (request.Take<string>(name) is { } given && given != value) throw new OptionsException(ErrorCodes.OptionRange, $"'{name}' has one value here.") { Where = name, Expected = value, Found = given };
    }

    /// <summary>An error with OpenAI's four fields.</summary>
    public static JsonObject Error(ModelZooException error, int status) => new()
    {
        ["error"] = new JsonObject { ["message"] = error.Message, ["type"] = status switch { 429 => "rate_limit_error", >= 500 => "server_error", _ => "invalid_request_error" }, ["param"] = error is OptionsException || error.Code == "request.malformed" ? error.Where : null, ["code"] = error.Code },
    };
}
