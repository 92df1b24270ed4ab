using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Host.Models;
using ModelZoo.Host.Scheduling;
using ModelZoo.Host.Serving.Http;

namespace ModelZoo.Host.Serving.OpenInference;

/// <summary>
/// Models behind the Open Inference Protocol, whatever carries it. One request is one verb: the parameter <c>verb</c> names it; without it, <c>ids</c> are detokenized, a <c>prompt</c> or a <c>seed</c> generates, and all else is
/// tokenized where the model can, and generated from where it cannot. <c>priority</c> and <c>timeout</c> (microseconds) are those of Triton's scheduling policy. The parameter <c>call</c> runs one of the authors' own calls on the tensors instead. All other parameters are options of the model.
/// </summary>
internal sealed class InferenceService(ModelVerbs verbs, ModelDirectory directory, Readiness readiness, TimeProvider clock)
{
    private static readonly string[] Own = ["verb", "call", "seed", "binary_data_output", "priority", "timeout"];

    /// <summary>What a model takes and gives.</summary>
    public Task<ModelDescription> DescribeAsync(ModelRequest model, CancellationToken cancel) => verbs.InspectAsync(model, (lease, _) =>
    {
        var (inputs, outputs, properties) = (new List<TensorDescription>(), new List<TensorDescription>(), new Dictionary<string, string>());
        if (lease.Model.Find<ITokenize>() is { } tokenizer)
        {
            inputs.AddRange(MediaTensors.Describe(tokenizer.Takes));
            outputs.AddRange(MediaTensors.Describe(Modality.Tokens));
            properties["tokenize"] = properties["detokenize"] = tokenizer.Takes.ToString().ToLowerInvariant();
        }

        if (lease.Model.Find<IGenerate>() is { } generator)
        {
            inputs.Add(new("prompt", "BYTES", 1));
            outputs.AddRange(MediaTensors.Describe(generator.Makes));
            properties["generate"] = generator.Makes.ToString().ToLowerInvariant();
        }

        return Task.FromResult(new ModelDescription(lease.Resident.Id.ToString(), "modelzoo", [.. inputs.DistinctBy(tensor => tensor.Name)], [.. outputs.DistinctBy(tensor => tensor.Name)], properties));
    }, cancel);

    /// <summary>True when the server can serve.</summary>
    public bool IsServerReady => readiness.IsReady;

    /// <summary>True when the model is open, or its weights are there.</summary>
    public bool IsReady(ModelId id) => directory.Entries(all: true).Any(entry => (entry.Source ?? entry.Resident?.Source) is not null && entry.State != "failed" && (entry.Id == id.ToString() || entry.Card.Id == id.ToString()));

    /// <summary>Runs a request.</summary>
    /// <returns>The wanted outputs, in order.</returns>
    /// <exception cref="ModelZooException">The request cannot be understood, or the model failed.</exception>
    public async Task<IReadOnlyList<InferTensor>> InferAsync(ModelRequest model, InferRequest request, RequestTerms terms, CancellationToken cancel)
    {
        if (request.Inputs.GroupBy(input => input.Name).FirstOrDefault(group => group.Count() > 1) is { } twice) throw new ModelZooException(ErrorCodes.TensorType, "An input is given twice.") { Where = twice.Key };
        var own = verbs.For(terms.Under(Whole(request, "priority") is { } level ? RequestTermsReader.Level(level, "priority") : null, Whole(request, "timeout") is > 0 and var time ? RequestTermsReader.Time(time / 1e6, "timeout") : null, clock));
        var outputs = (string?)request.Parameters["call"] is { } call
            ? await CallAsync(own, model, call, request, cancel).ConfigureAwait(false)
            : [.. MediaTensors.Write(await VerbAsync(own, model, request, cancel).ConfigureAwait(false))];
        if (request.Outputs.Count == 0) return outputs;
        return [.. request.Outputs.Select(name => outputs.FirstOrDefault(output => output.Name == name)
            ?? throw new ModelZooException(ErrorCodes.TensorType, "There is no such output.") { Where = name, Expected = string.Join(", ", outputs.Select(output => output.Name)) })];
    }

    private static async Task<Contracts.Media> VerbAsync(ModelVerbs verbs, ModelRequest model, InferRequest request, CancellationToken cancel)
    {
        var options = new JsonObject(request.Parameters.Where(parameter => !Own.Contains(parameter.Key)).Select(parameter => KeyValuePair.Create(parameter.Key, parameter.Value?.DeepClone())));
        var (takes, tokenizes) = await verbs.InspectAsync(model, static (lease, _) => Task.FromResult((lease.Model.Find<ITokenize>()?.Takes ?? Modality.Tensors, lease.Model.Find<ITokenize>() is not null)), cancel).ConfigureAwait(false);
        var verb = (string?)request.Parameters["verb"]
            ?? (Has(request, "ids") ? "detokenize" : !tokenizes || Has(request, "prompt") || request.Parameters.ContainsKey("seed") ? "generate" : "tokenize");
        switch (verb)
        {
            case "tokenize":
                return (await verbs.TokenizeAsync(model, MediaTensors.Read(takes, request.Inputs), options, cancel).ConfigureAwait(false)).Value;
            case "detokenize":
                return (await verbs.DetokenizeAsync(model, MediaTensors.Read(Modality.Tokens, request.Inputs).Expect<Tokens>(), options, cancel).ConfigureAwait(false)).Value;
            case "generate":
                var words = request.Inputs.FirstOrDefault(input => input.Name == "prompt")?.ToTexts();
                var media = request.Inputs.Where(input => input.Name != "prompt").ToList();
                var prompt = new Prompt(words is null ? null : string.Concat(words), media.Count == 0 ? [] : [MediaTensors.Read(Kind(media), media)]);
                return (await verbs.GenerateAsync(model, prompt, options, Seed(request), static _ => { }, cancel).ConfigureAwait(false)).Value;
            default:
                throw new ModelZooException(ErrorCodes.VerbUnsupported, $"There is no verb '{verb}'.") { Where = "verb", Expected = "tokenize, detokenize, generate" };
        }
    }

    private static async Task<IReadOnlyList<InferTensor>> CallAsync(ModelVerbs verbs, ModelRequest model, string call, InferRequest request, CancellationToken cancel)
    {
        var arguments = new CallArguments();
        foreach (var input in request.Inputs)
        {
            if (input.Datatype == "BYTES") arguments.With(input.Name, JsonSerializer.SerializeToElement(input.ToTexts() is [var one] ? (object)one : input.ToTexts()));
            else arguments.With(input.Name, input.ToTensor());
        }

        foreach (var (name, value) in request.Parameters.Where(parameter => !Own.Contains(parameter.Key))) arguments.With(name, JsonSerializer.SerializeToElement(value));
        var results = await verbs.CallAsync(model, call, arguments, cancel).ConfigureAwait(false);
        return [.. results.Values.Select(pair => pair.Value is Tensor tensor ? InferTensor.Of(pair.Key, tensor) : InferTensor.Of(pair.Key, [.. ((IReadOnlyList<JsonElement>)pair.Value).Select(line => line.GetRawText())]))];
    }

    // The kind of media by the names of its tensors.
    private static Modality Kind(IReadOnlyList<InferTensor> tensors) =>
        Enum.GetValues<Modality>().FirstOrDefault(modality => MediaTensors.Describe(modality) is [var first, ..] && tensors.Any(tensor => tensor.Name == first.Name), Modality.Tensors);

    private static bool Has(InferRequest request, string name) => request.Inputs.Any(input => input.Name == name);

    // As a number, or as text, which is how some clients send every parameter.
    private static long? Whole(InferRequest request, string name) => request.Parameters[name] is not { } value ? null
        : long.TryParse(value.ToString(), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number
        : throw new OptionsException(ErrorCodes.OptionType, "This parameter is a whole number from 0.") { Where = name, Found = value.ToString() };

    private static ulong Seed(InferRequest request) => request.Parameters["seed"] is not { } seed ? 0
        : ulong.TryParse(seed.ToString(), CultureInfo.InvariantCulture, out var number) ? number
        : throw new OptionsException(ErrorCodes.OptionType, "The seed is a number from 0.") { Where = "seed", Found = seed.ToString() };
}
