using System.Text.Json;
using ModelZoo.Contracts;
using ModelZoo.Networks.Parity;

namespace ModelZoo.Conformance;

/// <summary>A model with an input for the laws.</summary>
/// <param name="Model"><c>family/architecture</c>.</param>
/// <param name="Input">What it tokenizes.</param>
public sealed record LawSample(string Model, Media? Input = null)
{
    /// <summary>Folder of its checkpoint, when it has weights.</summary>
    public string? Checkpoint { get; init; }

    /// <summary>Where in that folder the weights are, when the layout leaves a choice.</summary>
    public IReadOnlyList<CheckpointPart> Parts { get; init; } = [];

    /// <summary>The manifest's settings for it, such as folders of parts that stand beside its checkpoint, as a JSON object.</summary>
    public JsonElement? Settings { get; init; }

    /// <summary>What it generates from.</summary>
    public Prompt? Prompt { get; init; }

    /// <summary>True lets the kit look for an input and a prompt that the model takes.</summary>
    public bool FindsInputs { get; init; }

    /// <summary>Tensors in which the kit may find an input.</summary>
    public IReadOnlyDictionary<string, Tensor> Tensors { get; init; } = new Dictionary<string, Tensor>();

    /// <summary>Whether tokens can be turned back.</summary>
    public bool Decodes { get; init; } = true;

    /// <summary>For tokenizers that lose nothing: whether what came back is what went in.</summary>
    public Func<Media, Media, bool>? IsLossless { get; init; }

    /// <summary>
    /// A sample for each architecture of a family that has a parity case in the repository (<c>tests/parity</c>): the case's tiny checkpoint, and inputs that the kit makes.
    /// </summary>
    public static IEnumerable<LawSample> OfCases(string family) => ParityCasesAttribute.Find(family, shared: false).DistinctBy(@case => @case.Model)
        .Select(@case => new LawSample(@case.Model.ToString()) { Checkpoint = @case.CheckpointFolder, Parts = @case.Checkpoint, FindsInputs = true, Tensors = TensorsOf(@case) });

    // Under the arguments' names, and under their own.
    private static Dictionary<string, Tensor> TensorsOf(ParityCase @case)
    {
        var file = Path.Combine(@case.Folder, "inputs.safetensors");
        if (!File.Exists(file)) return [];
        var inputs = TensorArchive.Read(file);
        var tensors = new Dictionary<string, Tensor>(inputs);
        foreach (var (argument, value) in @case.Calls.SelectMany(call => call.Inputs))
        {
            if (value.ValueKind == JsonValueKind.String && inputs.TryGetValue(value.GetString()!, out var tensor)) tensors.TryAdd(argument, tensor);
        }

        return tensors;
    }
}
