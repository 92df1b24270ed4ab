using System.Text.Encodings.Web;
using System.Text.Json;
using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Pipeline;

namespace ModelZoo.Plugins.TextTokenizers.Formats;

/// <summary>Hugging Face's <c>tokenizer.json</c>, read and written. What is not known is refused by its path in the file.</summary>
public static class TokenizerJson
{
    private const int MaxDepth = 64;

    /// <summary>Reads a file.</summary>
    /// <exception cref="CheckpointException">It is missing, breaks the format, or has a component that is not known.</exception>
    public static PipelineTokenizer Load(string path)
    {
        try
        {
            return Parse(File.ReadAllBytes(path));
        }
        catch (IOException error)
        {
            throw new CheckpointException(ErrorCodes.CheckpointMissing, "The tokenizer's file cannot be read.", error) { Where = path };
        }
    }

    /// <summary>Reads a file's bytes.</summary>
    /// <exception cref="CheckpointException">They break the format or have a component that is not known.</exception>
    public static PipelineTokenizer Parse(ReadOnlyMemory<byte> utf8)
    {
        try
        {
            if (utf8.Span.StartsWith("\uFEFF"u8)) utf8 = utf8[3..];
            using var document = JsonDocument.Parse(utf8, new() { MaxDepth = MaxDepth });
            return Read(new(document.RootElement, "$"));
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            throw new CheckpointException(ErrorCodes.CheckpointMalformed, $"tokenizer.json cannot be read: {error.Message}", error) { Where = "$" };
        }
    }

    /// <summary>Writes a tokenizer as <c>tokenizer.json</c>.</summary>
    public static byte[] Write(PipelineTokenizer tokenizer)
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream, new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping })) Write(tokenizer, writer);
        return stream.ToArray();
    }

    private static PipelineTokenizer Read(JsonCursor root)
    {
        if (root.Find("version") is { IsNull: false } version && version.Text() != "1.0") throw version.Error("The file is of an unknown version.", "1.0", version.Text());
        var normalizer = ComponentReader.ReadNormalizer(root.Find("normalizer"));
        var added = root.Find("added_tokens") is { IsNull: false } list ? list.Items().Select(ReadAddedToken).ToArray() : [];
        return root.Guard(() => new PipelineTokenizer(ModelReader.Read(root["model"]), added, normalizer)
        {
            PreTokenizer = ComponentReader.ReadPreTokenizer(root.Find("pre_tokenizer")),
            PostProcessor = ComponentReader.ReadPostProcessor(root.Find("post_processor")),
            Decoder = ComponentReader.ReadDecoder(root.Find("decoder")),
            Truncation = ReadTruncation(root.Find("truncation")),
            Padding = ReadPadding(root.Find("padding")),
        });
    }

    private static AddedToken ReadAddedToken(JsonCursor token) => new(token["content"].Text())
    {
        SingleWord = token["single_word"].Flag(),
        LeftStrip = token["lstrip"].Flag(),
        RightStrip = token["rstrip"].Flag(),
        Normalized = token["normalized"].Flag(),
        Special = token["special"].Flag(),
    };

    private static Truncation? ReadTruncation(JsonCursor truncation) => truncation.IsNull ? null : new(
        truncation["max_length"].Integer(),
        truncation["stride"].Integer(),
        truncation["strategy"].Name<TruncationStrategy>(),
        IsLeft(truncation.Find("direction")));

    private static Padding? ReadPadding(JsonCursor padding)
    {
        if (padding.IsNull) return null;
        var strategy = padding["strategy"];
        int? length = strategy.IsString
            ? strategy.Text() == "BatchLongest" ? null : throw strategy.Wrong("BatchLongest or Fixed")
            : strategy["Fixed"].Integer();
        var multiple = padding.Find("pad_to_multiple_of");
        return new(length, multiple.IsNull ? null : multiple.Integer(), IsLeft(padding["direction"]), padding["pad_id"].Integer(), padding["pad_type_id"].Integer(), padding["pad_token"].Text());
    }

    private static bool IsLeft(JsonCursor direction) => !direction.IsNull && direction.Text() switch
    {
        "Left" => true,
        "Right" => false,
        _ => throw direction.Wrong("Left or Right"),
    };

    private static void Write(PipelineTokenizer tokenizer, Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteString("version", "1.0");
        Section("truncation", tokenizer.Truncation, truncation =>
        {
            writer.WriteString("direction", truncation.Left ? "Left" : "Right");
            writer.WriteNumber("max_length", truncation.MaxLength);
            writer.WriteString("strategy", truncation.Strategy.ToString());
            writer.WriteNumber("stride", truncation.Stride);
        });
        Section("padding", tokenizer.Padding, padding =>
        {
            if (padding.Length is { } length)
            {
                writer.WriteStartObject("strategy");
                writer.WriteNumber("Fixed", length);
                writer.WriteEndObject();
            }
            else
            {
                writer.WriteString("strategy", "BatchLongest");
            }

            writer.WriteString("direction", padding.Left ? "Left" : "Right");
            if (padding.MultipleOf is { } multiple) writer.WriteNumber("pad_to_multiple_of", multiple);
            else writer.WriteNull("pad_to_multiple_of");
            writer.WriteNumber("pad_id", padding.Id);
            writer.WriteNumber("pad_type_id", padding.TypeId);
            writer.WriteString("pad_token", padding.Token);
        });
        writer.WriteStartArray("added_tokens");
        foreach (var (id, token) in tokenizer.AddedTokens)
        {
            writer.WriteStartObject();
            writer.WriteNumber("id", id);
            writer.WriteString("content", token.Content);
            writer.WriteBoolean("single_word", token.SingleWord);
            writer.WriteBoolean("lstrip", token.LeftStrip);
            writer.WriteBoolean("rstrip", token.RightStrip);
            writer.WriteBoolean("normalized", token.Normalized);
            writer.WriteBoolean("special", token.Special);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        Section("normalizer", tokenizer.Normalizer, component => component.Write(writer));
        Section("pre_tokenizer", tokenizer.PreTokenizer, component => component.Write(writer));
        Section("post_processor", tokenizer.PostProcessor, component => component.Write(writer));
        Section("decoder", tokenizer.Decoder, component => component.Write(writer));
        Section("model", tokenizer.Model, component => component.Write(writer));
        writer.WriteEndObject();

        void Section<T>(string name, T? component, Action<T> write) where T : class
        {
            if (component is null)
            {
                writer.WriteNull(name);
                return;
            }

            writer.WriteStartObject(name);
            write(component);
            writer.WriteEndObject();
        }
    }
}
