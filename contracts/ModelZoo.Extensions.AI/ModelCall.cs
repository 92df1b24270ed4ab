using System.Text.Json;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;

namespace ModelZoo.Extensions.AI;

/// <summary>Collects what a client was asked for as options of the model.</summary>
internal sealed class ModelCall(OptionsSchema schema)
{
    private const string SeedName = "seed";
    private readonly JsonObject _values = [];

    /// <summary>The seed; 0 when none is given.</summary>
    public ulong Seed { get; private set; }

    /// <summary>Sets an option, unless the value is null.</summary>
    /// <param name="value">The value.</param>
    /// <param name="names">Names that models have for it.</param>
    /// <exception cref="OptionsException">The model has none of these options.</exception>
    public void Set(object? value, params ReadOnlySpan<string> names)
    {
        if (value is null) return;
        foreach (var name in names)
        {
            if (!schema.Options.Any(option => option.Name == name)) continue;
            _values[name] = JsonSerializer.SerializeToNode(value, value.GetType());
            return;
        }

        throw new OptionsException(ErrorCodes.OptionUnknown, $"This model has no option '{names[0]}'.")
        { Where = names[0], Expected = schema.Options.Count == 0 ? "no options" : string.Join(", ", schema.Options.Select(option => option.Name)) };
    }

    /// <summary>Sets the seed, unless it is null.</summary>
    /// <exception cref="OptionsException">It is below 0.</exception>
    public void SetSeed(long? seed)
    {
        if (seed is not { } number) return;
        Seed = number >= 0 ? (ulong)number : throw new OptionsException(ErrorCodes.OptionRange, "The seed is a number from 0.") { Where = SeedName, Found = $"{number}" };
    }

    /// <summary>Sets options by the model's own names; <c>seed</c> is the seed.</summary>
    /// <exception cref="OptionsException">The model has no such option.</exception>
    public void SetAll(IEnumerable<KeyValuePair<string, object?>>? values)
    {
        foreach (var (name, value) in values ?? [])
        {
            if (name == SeedName) SetSeed(JsonSerializer.SerializeToElement(value).TryGetInt64(out var seed) ? seed : throw new OptionsException(ErrorCodes.OptionType, "The seed is a number from 0.") { Where = SeedName, Found = $"{value}" });
            else Set(value, name);
        }
    }

    /// <summary>Refuses what no model does.</summary>
    /// <exception cref="OptionsException">It was asked for.</exception>
    public static void Refuse(bool asked, string name, string expected)
    {
        if (asked) throw new OptionsException(ErrorCodes.OptionRange, $"'{name}' cannot be had from a model of this zoo.") { Where = name, Expected = expected };
    }

    /// <summary>The options.</summary>
    /// <exception cref="OptionsException">A value cannot be taken.</exception>
    public ModelOptions Bind() => schema.Bind(JsonSerializer.SerializeToElement(_values));

    /// <summary>Runs a generator to its result.</summary>
    /// <exception cref="ModelZooException">It fails, or ends without one.</exception>
    public static async Task<Media> ResultAsync(IGenerate generator, Prompt prompt, ModelOptions options, ulong seed, CancellationToken cancel)
    {
        await foreach (var step in generator.GenerateAsync(prompt, options, seed, cancel).WithCancellation(cancel).ConfigureAwait(false))
        {
            cancel.ThrowIfCancellationRequested();
            if (step is { IsFinal: true, Value: { } result }) return result;
        }

        throw NoResult();
    }

    /// <summary>The error of a model that ended too early.</summary>
    public static ModelZooException NoResult() => new(ErrorCodes.PluginFailed, "The model ended without a result.") { Remedy = "This is a fault of the plugin; tell its author." };
}
