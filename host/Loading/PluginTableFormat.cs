using ModelZoo.Contracts;

namespace ModelZoo.Host.Loading;

/// <summary>Tables as bytes. Written out by hand: a host reads one for each plugin when it starts, and reflection would cost more than the plugins.</summary>
internal static class PluginTableFormat
{
    /// <summary>Writes a table.</summary>
    public static void Write(BinaryWriter writer, PluginTable table)
    {
        writer.Write(table.File.Folder);
        writer.Write(table.File.Assembly);
        writer.Write(table.Inspection.Version.ToString());
        writer.Write(table.Inspection.Framework);
        WriteText(writer, table.Inspection.Contracts?.ToString());
        WriteAll(writer, table.Inspection.Hazards, writer.Write);
        WriteAll(writer, table.Cards, card => Write(writer, card));
        WriteAll(writer, table.Metrics, metric =>
        {
            writer.Write(metric.Name);
            writer.Write(metric.Unit);
            writer.Write(metric.HigherIsBetter switch { true => (sbyte)1, false => (sbyte)-1, null => (sbyte)0 });
            writer.Write(metric.Description);
        });
        WriteAll(writer, table.Readers, reader =>
        {
            writer.Write(reader.Name);
            writer.Write((int)reader.Gives);
        });
    }

    /// <summary>Reads a table.</summary>
    /// <exception cref="IOException">It ends too early.</exception>
    public static PluginTable Read(BinaryReader reader) => new(
        new(reader.ReadString(), reader.ReadString()),
        new(Version.Parse(reader.ReadString()), reader.ReadString(), ReadText(reader) is { } contracts ? Version.Parse(contracts) : null, [], ReadAll(reader, reader.ReadString)),
        [.. ReadAll(reader, () => ReadCard(reader))],
        [.. ReadAll(reader, () => new MetricRow(reader.ReadString(), reader.ReadString(), reader.ReadSByte() switch { > 0 => true, < 0 => false, _ => null }, reader.ReadString()))],
        [.. ReadAll(reader, () => new ReaderRow(reader.ReadString(), (Modality)reader.ReadInt32()))]);

    private static void Write(BinaryWriter writer, ModelCard card)
    {
        writer.Write(card.Id);
        writer.Write(card.Paper);
        WriteText(writer, card.ArXiv);
        WriteAll(writer, card.Authors, writer.Write);
        WriteText(writer, card.Repository);
        WriteText(writer, card.CodeLicense);
        WriteText(writer, card.WeightsLicense);
        WriteAll(writer, card.Inputs, modality => writer.Write((int)modality));
        WriteAll(writer, card.Outputs, modality => writer.Write((int)modality));
        WriteAll(writer, card.Layouts, writer.Write);
        WriteAll(writer, card.Sizes, size =>
        {
            writer.Write(size.Name);
            writer.Write(size.Parameters);
            WriteAll(writer, size.References, value =>
            {
                writer.Write(value.Metric);
                writer.Write(value.Value);
                writer.Write(value.Tolerance);
                writer.Write(value.Data);
            });
        });
        writer.Write(card.Deviations);
        writer.Write(card.Hidden);
    }

    private static ModelCard ReadCard(BinaryReader reader) => new()
    {
        Id = reader.ReadString(),
        Paper = reader.ReadString(),
        ArXiv = ReadText(reader),
        Authors = [.. ReadAll(reader, reader.ReadString)],
        Repository = ReadText(reader),
        CodeLicense = ReadText(reader),
        WeightsLicense = ReadText(reader),
        Inputs = [.. ReadAll(reader, () => (Modality)reader.ReadInt32())],
        Outputs = [.. ReadAll(reader, () => (Modality)reader.ReadInt32())],
        Layouts = [.. ReadAll(reader, reader.ReadString)],
        Sizes = [.. ReadAll(reader, () => new PublishedSize(reader.ReadString(), reader.ReadInt64(), [.. ReadAll(reader, () => new ReferenceValue(reader.ReadString(), reader.ReadDouble(), reader.ReadDouble(), reader.ReadString()))]))],
        Deviations = reader.ReadString(),
        Hidden = reader.ReadBoolean(),
    };

    private static void WriteText(BinaryWriter writer, string? text)
    {
        writer.Write(text is not null);
        if (text is not null) writer.Write(text);
    }

    private static string? ReadText(BinaryReader reader) => reader.ReadBoolean() ? reader.ReadString() : null;

    private static void WriteAll<T>(BinaryWriter writer, IReadOnlyCollection<T> items, Action<T> write)
    {
        writer.Write(items.Count);
        foreach (var item in items) write(item);
    }

    private static T[] ReadAll<T>(BinaryReader reader, Func<T> read)
    {
        var count = reader.ReadInt32();
        if (count is < 0 or > 1 << 20) throw new InvalidDataException("This is not the table of a plugin.");
        var items = new T[count];
        for (var i = 0; i < items.Length; i++) items[i] = read();
        return items;
    }
}
