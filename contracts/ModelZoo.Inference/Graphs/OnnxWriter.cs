using ModelZoo.Contracts;
using ModelZoo.Inference.Native;

namespace ModelZoo.Inference;

/// <summary>How a graph is exported.</summary>
public sealed record OnnxExportOptions
{
    /// <summary>Keeps weights of a kilobyte and more in a file of their own, <c>NAME.onnx.data</c>. Done in any case when they do not fit one file (2 GB).</summary>
    public bool ExternalData { get; init; }
}

/// <summary>
/// Writes a <see cref="GraphDefinition"/> as a standard .onnx file (Protocol Buffers, by hand: a handful of message types). Weights are streamed, never held twice.
/// </summary>
public static class OnnxWriter
{
    /// <summary>The version of ONNX's file format that goes with <see cref="GraphDefinition.OpsetVersion"/>.</summary>
    private const long FormatVersion = 11;

    private const long LargestFile = int.MaxValue - (64 << 20);
    private const long SmallestExternal = 1024;
    private const long Alignment = 4096;

    // Field numbers of onnx.proto.
    private const int FloatAttribute = 1, IntAttribute = 2, StringAttribute = 3, FloatsAttribute = 6, IntsAttribute = 7, StringsAttribute = 8;

    /// <summary>Writes the file, and its weights beside it where they are external. Files appear whole or not at all.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="path">The .onnx file; an older one is replaced.</param>
    /// <param name="options">How.</param>
    public static void Write(GraphDefinition graph, string path, OnnxExportOptions? options = null)
    {
        var external = options?.ExternalData == true || graph.Initializers.Sum(i => i.Data.ByteLength) > LargestFile;
        var places = new Dictionary<string, long>();
        var dataName = Path.GetFileName(path) + ".data";
        if (external)
        {
            var end = 0L;
            foreach (var initializer in graph.Initializers.Where(i => i.Data.ByteLength >= SmallestExternal))
            {
                places[initializer.Name] = end;
                end = (end + initializer.Data.ByteLength + Alignment - 1) / Alignment * Alignment;
            }

            WholeFile.Write(path + ".data", stream => WriteData(stream, graph, places));
        }

        WholeFile.Write(path, stream => Write(stream, graph, places, dataName));
    }

    /// <summary>A model of <paramref name="graph"/>'s inputs alone.</summary>
    internal static byte[] Inputs(GraphDefinition graph)
    {
        var inputs = new GraphDefinition { Name = graph.Name };
        inputs.Inputs.AddRange(graph.Inputs);
        using var stream = new MemoryStream();
        Write(stream, inputs, [], "");
        return stream.ToArray();
    }

    private static void Write(Stream stream, GraphDefinition graph, Dictionary<string, long> places, string dataName)
    {
        // The graph's parts except the raw weights, so that its length is known before any weight is written.
        var parts = new List<(byte[] Head, WeightData? Raw)>();
        foreach (var node in graph.Nodes) parts.Add((Message(1, Node(node)), null));
        parts.Add((new ProtoWriter().Text(2, graph.Name).ToArray(), null));
        foreach (var initializer in graph.Initializers)
        {
            var isExternal = places.TryGetValue(initializer.Name, out var place);
            var head = Tensor(initializer, isExternal ? place : null, dataName);
            var raw = isExternal ? 0 : initializer.Data.ByteLength;
            if (!isExternal) head.Tag(9, ProtoWriter.Bytes).Varint((ulong)raw);
            var whole = new ProtoWriter().Tag(5, ProtoWriter.Bytes).Varint((ulong)(head.Length + raw));
            parts.Add(([.. whole.ToArray(), .. head.ToArray()], isExternal ? null : initializer.Data));
        }

        foreach (var port in graph.Inputs) parts.Add((Message(11, Port(port)), null));
        foreach (var port in graph.Outputs) parts.Add((Message(12, Port(port)), null));

        stream.Write(new ProtoWriter().Number(1, FormatVersion).Text(2, "modelzoo").Tag(7, ProtoWriter.Bytes).Varint((ulong)parts.Sum(p => p.Head.Length + (p.Raw?.ByteLength ?? 0))).ToArray());
        foreach (var (head, raw) in parts)
        {
            stream.Write(head);
            if (raw is not null) WriteRaw(stream, raw);
        }

        stream.Write(Message(8, new ProtoWriter().Text(1, "").Number(2, GraphDefinition.OpsetVersion)));
        stream.Write(Message(8, new ProtoWriter().Text(1, "com.microsoft").Number(2, 1)));
    }

    private static void WriteData(Stream stream, GraphDefinition graph, Dictionary<string, long> places)
    {
        foreach (var initializer in graph.Initializers)
        {
            if (!places.TryGetValue(initializer.Name, out var place)) continue;
            stream.Position = place;
            WriteRaw(stream, initializer.Data);
        }
    }

    private static unsafe void WriteRaw(Stream stream, WeightData data)
    {
        const int Chunk = 1 << 24;
        for (var offset = 0L; offset < data.ByteLength; offset += Chunk)
            stream.Write(new ReadOnlySpan<byte>((byte*)data.Address + offset, (int)Math.Min(Chunk, data.ByteLength - offset)));
        GC.KeepAlive(data);
    }

    // TensorProto up to its raw data.
    private static ProtoWriter Tensor(GraphInitializer initializer, long? place, string dataName)
    {
        var tensor = new ProtoWriter();
        foreach (var extent in initializer.Data.Shape) tensor.Number(1, extent);
        tensor.Number(2, (long)initializer.Data.Type.ToOnnx()).Text(8, initializer.Name);
        if (place is null) return tensor;
        void Entry(string key, string value) => tensor.Message(13, new ProtoWriter().Text(1, key).Text(2, value));
        Entry("location", dataName);
        Entry("offset", place.Value.ToString());
        Entry("length", initializer.Data.ByteLength.ToString());
        return tensor.Number(14, 1);
    }

    private static ProtoWriter Node(GraphNode node)
    {
        var writer = new ProtoWriter();
        foreach (var input in node.Inputs) writer.Text(1, input);
        foreach (var output in node.Outputs) writer.Text(2, output);
        writer.Text(3, node.Name).Text(4, node.Operator);
        foreach (var (name, value) in node.Attributes) writer.Message(5, Attribute(node, name, value));
        return writer.Text(7, node.Domain);
    }

    private static ProtoWriter Attribute(GraphNode node, string name, object value)
    {
        var writer = new ProtoWriter().Text(1, name);
        switch (value)
        {
            case float number: return writer.Float(2, number).Number(20, FloatAttribute);
            case long number: return writer.Number(3, number).Number(20, IntAttribute);
            case string text: return writer.Text(4, text).Number(20, StringAttribute);
            case float[] numbers:
                foreach (var number in numbers) writer.Float(7, number);
                return writer.Number(20, FloatsAttribute);
            case long[] numbers:
                foreach (var number in numbers) writer.Number(8, number);
                return writer.Number(20, IntsAttribute);
            case string[] texts:
                foreach (var text in texts) writer.Text(9, text);
                return writer.Number(20, StringsAttribute);
            default:
                throw new GraphException($"The attribute {name} has a value that no operator takes.") { Where = node.Name, Found = value?.GetType().Name ?? "null" };
        }
    }

    private static ProtoWriter Port(GraphPort port)
    {
        var shape = new ProtoWriter();
        foreach (var dimension in port.Shape)
            shape.Message(1, dimension.Symbol is null ? new ProtoWriter().Number(1, dimension.Size) : new ProtoWriter().Text(2, dimension.Symbol));
        var tensor = new ProtoWriter().Number(1, (long)port.Type.ToOnnx()).Message(2, shape);
        return new ProtoWriter().Text(1, port.Name).Message(2, new ProtoWriter().Message(1, tensor));
    }

    private static byte[] Message(int field, ProtoWriter content) => new ProtoWriter().Message(field, content).ToArray();
}
