using System.Text;
using System.Text.Json;
using ModelZoo.Contracts;
using ModelZoo.Inference;

namespace ModelZoo.Networks.Parity;

/// <summary>Runs parity cases through <see cref="IReferenceCalls"/> and compares every output that they hold.</summary>
/// <param name="find">The architecture of that id, or null when no plugin has it.</param>
/// <param name="services">Services for <see cref="ModelSource.Services"/>.</param>
/// <param name="device">The device to run on.</param>
public sealed class ParityRunner(Func<ModelId, ModelArchitecture?> find, IServiceProvider services, string device = "cpu")
{
    /// <summary>In what models keep the weights of their linear maps.</summary>
    public WeightPrecision Precision { get; init; }

    /// <summary>Runs the case of a folder. Never throws but for cancellation.</summary>
    public async Task<ParityReport> RunAsync(string folder, CancellationToken cancel = default)
    {
        try
        {
            return await RunAsync(ParityCase.Load(folder), cancel).ConfigureAwait(false);
        }
        catch (ModelZooException error)
        {
            return new(folder, "", ParityStatus.Error, [], error.Message) { Precision = Precision };
        }
    }

    /// <summary>Runs a case. Never throws but for cancellation.</summary>
    public async Task<ParityReport> RunAsync(ParityCase @case, CancellationToken cancel = default)
    {
        @case = @case.With(Precision.Tolerance());
        if (find(@case.Model) is not { } architecture)
            return Ended(@case, ParityStatus.Unsupported, [], $"No loaded plugin has {@case.Model}.");

        var outputs = new List<ParityOutput>();
        try
        {
            var source = new ModelSource
            {
                Id = @case.Model, Folder = @case.CheckpointFolder, Parts = @case.Checkpoint, Device = device, Precision = Precision.Name(), Stages = true, Services = services,
                Settings = Settings(@case),
            };
            var model = await architecture.Open(source, cancel).ConfigureAwait(false);
            await using var _ = model.ConfigureAwait(false);
            var calls = model.Find<IReferenceCalls>();
            if (calls is null) return Ended(@case, ParityStatus.Unsupported, [], $"{@case.Model} has no reference calls.");

            var inputs = Archive(@case, "inputs.safetensors");
            var expected = new ExpectedOutputs(@case, Archive(@case, "expected.safetensors"));
            foreach (var call in @case.Calls)
            {
                cancel.ThrowIfCancellationRequested();
                var arguments = Arguments(@case, call, inputs);
                var results = await calls.CallAsync(call.Name, arguments, cancel).ConfigureAwait(false);
                if (arguments.Unused.Except(Unnamed(@case, inputs)).ToList() is { Count: > 0 } unused)
                    return Ended(@case, ParityStatus.Unsupported, outputs, $"{call.Name} does not know: {string.Join(", ", unused)}.");
                foreach (var (result, name) in call.Outputs) outputs.AddRange(expected.Compare(call.Name, result, name, results));
            }

            var problems = outputs.Where(output => !output.Passes).Select(output => output.Problem!)
                .Concat(expected.NotNamed.Select(name => $"{name} of expected.safetensors is named by no call")).ToList();
            if (outputs.Count == 0) problems.Add("the case names no outputs");
            return problems.Count == 0 ? Ended(@case, ParityStatus.Pass, outputs, null) : Ended(@case, ParityStatus.Fail, outputs, string.Join("; ", problems) + ".");
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            throw;
        }
        catch (ModelZooException error)
        {
            var unsupported = error.Code is ErrorCodes.VerbUnsupported or ErrorCodes.OptionUnknown or ErrorCodes.ModelUnknown;
            return Ended(@case, unsupported ? ParityStatus.Unsupported : ParityStatus.Error, outputs, error.Message);
        }
#pragma warning disable CA1031 // a case that throws is a row of the table, and the others go on
        catch (Exception error)
        {
            return Ended(@case, ParityStatus.Error, outputs, $"{error.GetType().Name}: {error.Message} {Place(error)}");
        }
#pragma warning restore CA1031
    }

    /// <summary>The lines of a file of JSON lines, which end at LF and nowhere else.</summary>
    /// <exception cref="JsonException">A line is not JSON.</exception>
    public static IReadOnlyList<JsonElement> ReadLines(string path) =>
        [.. Encoding.UTF8.GetString(File.ReadAllBytes(path)).Split('\n').Where(line => line.Length > 0).Select(line => JsonElement.Parse(line))];

    private ParityReport Ended(ParityCase @case, ParityStatus status, IReadOnlyList<ParityOutput> outputs, string? message) =>
        new(@case.Name, @case.Model.ToString(), status, outputs, message) { Precision = Precision };

    // Authors who publish several versions of their code leave nothing else that tells them apart; a model whose files do not say which made them reads the setting "reference".
    private static ModelSettings Settings(ParityCase @case) =>
        @case.Reference is null ? new() : new(JsonSerializer.SerializeToElement(new Dictionary<string, string> { ["reference"] = @case.Reference }), isShared: true);

    private static string Place(Exception error) => error.StackTrace?.Split('\n').FirstOrDefault(line => line.Contains("ModelZoo.", StringComparison.Ordinal))?.Trim() ?? "";

    private static OrderedDictionary<string, Tensor> Archive(ParityCase @case, string file) =>
        Path.Combine(@case.Folder, file) is var path && File.Exists(path) ? TensorArchive.Read(path) : [];

    private static CallArguments Arguments(ParityCase @case, ParityCall call, OrderedDictionary<string, Tensor> inputs)
    {
        var arguments = new CallArguments();
        foreach (var (name, value) in call.Inputs)
        {
            if (TensorName(value) is { } tensor) arguments.With(name, inputs[tensor]);
            else if (FileOf(@case, value, ".jsonl") is { } lines) arguments.With(name, ReadLines(lines));
            else if (FileOf(@case, value, ".safetensors") is { } archive) arguments.With(name, TensorArchive.Read(archive));
            else if (value.ValueKind == JsonValueKind.Array && value.GetArrayLength() > 0 && value.EnumerateArray().All(item => TensorName(item) is not null))
                arguments.With(name, [.. value.EnumerateArray().Select(item => inputs[item.GetString()!])]);
            else arguments.With(name, value);
        }

        foreach (var name in Unnamed(@case, inputs).Where(name => call.Inputs.All(input => input.Key != name))) arguments.With(name, inputs[name]);
        return arguments;

        string? TensorName(JsonElement value) => value.ValueKind == JsonValueKind.String && value.GetString() is { } text && inputs.ContainsKey(text) ? text : null;
    }

    // Tensors that no call names and no call takes as a whole: they come along under their own names, for whoever asks.
    private static List<string> Unnamed(ParityCase @case, OrderedDictionary<string, Tensor> inputs)
    {
        var named = @case.Calls.SelectMany(call => call.Inputs).SelectMany(input => Texts(input.Value)).ToHashSet();
        return named.Any(text => text.EndsWith(".safetensors", StringComparison.Ordinal)) ? [] : [.. inputs.Keys.Where(name => !named.Contains(name))];

        static IEnumerable<string> Texts(JsonElement value) => value.ValueKind switch
        {
            JsonValueKind.String => [value.GetString()!],
            JsonValueKind.Array => value.EnumerateArray().SelectMany(Texts),
            _ => [],
        };
    }

    private static string? FileOf(ParityCase @case, JsonElement value, string extension) =>
        value.ValueKind == JsonValueKind.String && value.GetString() is { } text && text.EndsWith(extension, StringComparison.Ordinal)
        && Path.Combine(@case.Folder, text) is var path && File.Exists(path) ? path : null;
}
