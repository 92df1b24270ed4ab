using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace ModelZoo.Host.Media;

/// <summary>What a JSON writer writes, as a tree or as text. Its readers are no HTML pages: base64 keeps its plus signs.</summary>
internal static class JsonBytes
{
    public static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>As a tree.</summary>
    public static JsonNode Node(Action<Utf8JsonWriter> write)
    {
        using var bytes = Write(write);
        return JsonNode.Parse(bytes.Written.Span)!;
    }

    /// <summary>As text.</summary>
    public static string Text(Action<Utf8JsonWriter> write)
    {
        using var bytes = Write(write);
        return Encoding.UTF8.GetString(bytes.Written.Span);
    }

    /// <summary>As bytes, which the caller disposes.</summary>
    public static PooledBytes Write(Action<Utf8JsonWriter> write)
    {
        var bytes = new PooledBytes();
        try
        {
            using var json = new Utf8JsonWriter(bytes, Options);
            write(json);
            return bytes;
        }
        catch
        {
            bytes.Dispose();
            throw;
        }
    }
}
