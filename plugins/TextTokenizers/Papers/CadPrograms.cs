using System.Runtime.CompilerServices;
using System.Text.Json;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>A file with a CAD program on each line: <c>{"ids": [...], "span": [...]}</c>, its tokens and the primitive that each belongs to.</summary>
internal sealed class CadPrograms : IDatasetReader
{
    public string Name => "lines-of-cad-programs";

    public Modality Gives => Modality.Tensors;

    public bool CanRead(string path) => File.Exists(path) && Path.GetExtension(path).Equals(".jsonl", StringComparison.OrdinalIgnoreCase);

    public int? Count(string path) => null;

    public async IAsyncEnumerable<Example> ReadAsync(string path, IMediaReader media, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var number = 0;
        await foreach (var line in File.ReadLinesAsync(path, cancel).ConfigureAwait(false))
        {
            number++;
            if (!string.IsNullOrWhiteSpace(line)) yield return Read(line, $"{Path.GetFileName(path)}:{number}");
        }
    }

    private static Example Read(string line, string place)
    {
        try
        {
            var program = JsonElement.Parse(line);
            return new(place, new NamedTensors(new Dictionary<string, Tensor> { [CadVerbs.Ids] = Row(program, CadVerbs.Ids), [CadVerbs.Span] = Row(program, CadVerbs.Span) })) { Label = program.Find("label")?.AsText() };
        }
        catch (Exception error) when (error is JsonException or ModelZooException)
        {
            throw new ModelZooException(ErrorCodes.DatasetInvalid, "The line is no CAD program.", error) { Where = place, Expected = "{\"ids\": [12, 11, 5], \"span\": [0, 0, 1]}", Found = line.Length > 100 ? line[..100] : line };
        }
    }

    private static Tensor<long> Row(JsonElement program, string name)
    {
        long[] row = [.. program.Member(name).AsList().Select(item => item.AsLong())];
        return Tensor.Create(row, row.Length);
    }
}
