using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Unicode;
using ModelZoo.Contracts;
using ModelZoo.Host.Media.Motions;
using ModelZoo.Inference;
using ModelZoo.Networks.Parity;

namespace ModelZoo.Host.Media;

/// <summary>Reads and writes media by file extension: WAV, PNG, text, motion and arrays (.npy), meshes (.obj), items and tokens (.json), tensors (.safetensors); pictures and sound of other kinds through ffmpeg; all else is text.</summary>
internal sealed class MediaFiles : IMediaReader
{
    // What models of bytes read: the tensor's name, and files that are no text and no media.
    private const string BytesName = "bytes";
    private static readonly string[] Bytes = ["", ".bin", ".exe", ".dll", ".so", ".dylib", ".o", ".a", ".elf", ".wasm", ".mid", ".midi"];

    /// <inheritdoc/>
    public bool CanRead(string path) =>
        Path.GetExtension(path).ToLowerInvariant() is ".wav" or ".png" or ".txt" or ".npy" or ".obj" or ".json" or ".safetensors" || Ffmpeg.Knows(path);

    /// <inheritdoc/>
    public async ValueTask<Contracts.Media> ReadAsync(string path, CancellationToken cancel = default)
    {
        if (!File.Exists(path)) throw new MediaException(ErrorCodes.MediaMalformed, Directory.Exists(path) ? "This is a folder, not a file." : "There is no such file.") { Where = path };
        var extension = Path.GetExtension(path).ToLowerInvariant();
        if (Ffmpeg.Knows(path)) return await Ffmpeg.ReadAsync(path, cancel).ConfigureAwait(false);
        if (extension == ".safetensors") return ReadTensors(TensorArchive.Read(path, out var metadata), metadata, path);
        return Read(await ReadBytesAsync(path, cancel).ConfigureAwait(false), extension, path);
    }

    /// <summary>The media in the bytes of a file with that extension; what only ffmpeg reads goes through a file of its own, for a moment.</summary>
    /// <exception cref="MediaException">The bytes are broken or of an unknown format.</exception>
    public static async ValueTask<Contracts.Media> ReadAsync(byte[] bytes, string extension, string where, CancellationToken cancel, long pixels = PngReader.PixelLimit)
    {
        if (!Ffmpeg.Knows(extension)) return Read(bytes, extension, where, pixels);
        var scratch = Path.Combine(Path.GetTempPath(), $"modelzoo-{Guid.NewGuid():N}{extension}");
        try
        {
            await File.WriteAllBytesAsync(scratch, bytes, cancel).ConfigureAwait(false);
            return await Ffmpeg.ReadAsync(scratch, cancel, pixels).ConfigureAwait(false);
        }
        catch (MediaException error)
        {
            throw new MediaException(error.Code, $"It cannot be read as {extension}.", error) { Where = where }; // without the path of the scratch file
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new MediaException("output.failed", "There is no room for the file that ffmpeg reads.", error) { Where = where };
        }
        finally
        {
            File.Delete(scratch);
        }
    }

    private static Contracts.Media Read(byte[] bytes, string extension, string where, long pixels = PngReader.PixelLimit) => extension switch
    {
        ".wav" => WavFile.Read(bytes, where),
        ".png" => PngReader.Read(bytes, where, pixels),
        ".txt" => new Text(ReadText(bytes, where)),
        ".npy" => ToMotion(ReadArray(bytes, where)),
        ".obj" => ObjFile.Read(ReadText(bytes, where), where),
        ".json" => ReadJson(bytes, where),
        ".safetensors" => ReadTensors(TensorArchive.Read(bytes, where, out var metadata), metadata, where),
        _ => ReadOther(bytes, extension, where),
    };

    /// <summary>Text by any other name: source code, notes, tables, what comes through a pipe. Programs and music in MIDI are their bytes.</summary>
    /// <exception cref="MediaException">The bytes are neither.</exception>
    public static Contracts.Media ReadOther(byte[] bytes, string extension, string where) => !bytes.AsSpan().Contains((byte)0) && Utf8.IsValid(bytes)
        ? new Text(ReadText(bytes, where))
        : Bytes.Contains(extension) ? BytesOf(bytes)
        : throw new MediaException(ErrorCodes.MediaUnsupported, "Files of this kind are not read.") { Where = where, Expected = "UTF-8 text, .wav, .png, .npy, .obj, .json, .safetensors, or what ffmpeg reads" };

    /// <summary>A text as its bytes in UTF-8, for models of bytes.</summary>
    public static NamedTensors BytesOf(Text text) => BytesOf(Encoding.UTF8.GetBytes(text.Value));

    /// <summary>Writes media in the format of the extension; motions also as a page that plays them (.html), a hierarchy for animation programs (.bvh) and positions (.joints.npy).</summary>
    /// <exception cref="MediaException">That kind of media is not written in that format.</exception>
    public static void Write(Stream output, Contracts.Media media, string path)
    {
        switch (media, Path.GetExtension(path).ToLowerInvariant())
        {
            case (Audio audio, ".wav"):
                WavFile.Write(output, audio, WavEncoding.Float32);
                break;
            case (Image image, ".png"):
                PngWriter.Write(output, image);
                break;
            case (Text text, var extension) when extension == ".txt" || Bytes.Contains(extension):
                output.Write(Encoding.UTF8.GetBytes(text.Value));
                break;
            case (Motion motion, ".npy") when path.EndsWith(".joints.npy", StringComparison.OrdinalIgnoreCase):
                NumpyFile.Write(output, MotionJoints.Of(motion).ToTensor());
                break;
            case (Motion motion, ".npy"):
                NumpyFile.Write(output, motion.Features);
                break;
            case (Motion motion, ".html"):
                MotionViewer.Write(output, motion, Path.GetFileNameWithoutExtension(path));
                break;
            case (Motion motion, ".bvh"):
                BvhFile.Write(output, motion);
                break;
            case (Mesh mesh, ".obj"):
                ObjFile.Write(output, mesh);
                break;
            case (Items items, ".json"):
                output.Write(Encoding.UTF8.GetBytes(ItemsJson(items).ToJsonString()));
                break;
            case (Tokens tokens, ".json"):
                output.Write(Encoding.UTF8.GetBytes(TokensFile.ToJson(tokens).ToJsonString()));
                break;
            case (Tokens tokens, ".safetensors"):
                TokensFile.WriteTensors(output, tokens);
                break;
            case (NamedTensors { Values: { Count: 1 } values }, var extension) when values.GetValueOrDefault(BytesName) is Tensor<byte> { Rank: 1 } bytes && Bytes.Contains(extension):
                output.Write(bytes.Span);
                break;
            case (NamedTensors tensors, ".safetensors"):
                SafetensorsWriter.Write(output, tensors.Values);
                break;
            default:
                throw new MediaException(ErrorCodes.MediaUnsupported, $"A file of this kind does not hold {media.Modality.ToString().ToLowerInvariant()}.") { Where = path, Expected = string.Join(" or ", Extensions(media.Modality)) };
        }
    }

    /// <summary>The extensions in which a kind of media is written, the usual one first.</summary>
    public static IReadOnlyList<string> Extensions(Modality modality) => modality switch
    {
        Modality.Audio => [".wav"],
        Modality.Image => [".png"],
        Modality.Text => [".txt"],
        Modality.Motion => [".npy", ".html", ".bvh"],
        Modality.Mesh => [".obj"],
        Modality.Items => [".json"],
        Modality.Tokens => [".json", ".safetensors"],
        _ => [".safetensors"],
    };

    /// <summary>The usual extension of a kind of media.</summary>
    public static string Extension(Modality modality) => Extensions(modality)[0];

    /// <summary>True when that kind of media is written to a file of that name.</summary>
    public static bool Writes(Modality modality, string path) => Extensions(modality).Contains(Path.GetExtension(path).ToLowerInvariant());

    /// <summary>A list of items as JSON.</summary>
    public static JsonObject ItemsJson(Items items)
    {
        var json = new JsonObject { ["ids"] = new JsonArray([.. items.Ids.Select(id => (JsonNode)id)]) };
        if (items.Scores is { } scores) json["scores"] = new JsonArray([.. scores.Select(score => (JsonNode)score)]);
        return json;
    }

    private static NamedTensors BytesOf(byte[] bytes) => new(new Dictionary<string, Tensor> { [BytesName] = Tensor.Create(bytes, bytes.Length) });

    private static async Task<byte[]> ReadBytesAsync(string path, CancellationToken cancel)
    {
        try
        {
            return await File.ReadAllBytesAsync(path, cancel).ConfigureAwait(false);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new MediaException(ErrorCodes.MediaMalformed, $"The file cannot be read: {error.Message}", error) { Where = path };
        }
    }

    private static string ReadText(byte[] bytes, string path)
    {
        try
        {
            return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes.AsSpan().StartsWith("\uFEFF"u8) ? bytes.AsSpan(3) : bytes);
        }
        catch (DecoderFallbackException error)
        {
            throw new MediaException(ErrorCodes.MediaMalformed, $"The text is not UTF-8: the byte at {FirstInvalid(bytes)} begins no character.", error) { Where = path };
        }
    }

    private static int FirstInvalid(ReadOnlySpan<byte> bytes)
    {
        var at = 0;
        while (Rune.DecodeFromUtf8(bytes[at..], out _, out var used) == System.Buffers.OperationStatus.Done) at += used;
        return at;
    }

    private static Contracts.Media ReadTensors(IReadOnlyDictionary<string, Tensor> tensors, IReadOnlyDictionary<string, string> metadata, string where) =>
        metadata.TryGetValue("tokens", out var head) ? TokensFile.FromTensors(tensors, head, where) : new NamedTensors(tensors);

    // Token files say so; else it is a history: a list of ids, {"ids": [...]}, or {"items": [...]} as in data sets.
    private static Contracts.Media ReadJson(byte[] bytes, string path)
    {
        try
        {
            using var document = JsonDocument.Parse(bytes);
            var root = document.RootElement;
            if (root.ValueKind == JsonValueKind.Object && root.TryGetProperty("format", out _)) return TokensFile.FromJson(root, path);
            var ids = root.ValueKind == JsonValueKind.Object ? root.TryGetProperty("ids", out var list) ? list : root.GetProperty("items") : root;
            return new Items([.. ids.EnumerateArray().Select(id => id.ValueKind is JsonValueKind.String or JsonValueKind.Number ? id.ToString() : throw new JsonException("An item is a name or a number."))]);
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new MediaException(ErrorCodes.MediaMalformed, "This is neither a file of tokens nor a list of items.", error) { Where = path, Expected = "[\"id\", ...], {\"ids\": [...]} or {\"items\": [...]}" };
        }
    }

    // HumanML3D's arrays: (frames, 263) features at 20 frames a second, or (frames, 22, 3) joints.
    private static Tensor ReadArray(byte[] bytes, string path)
    {
        try
        {
            return NumpyFile.Read(bytes, path);
        }
        catch (CheckpointException error)
        {
            throw new MediaException(ErrorCodes.MediaMalformed, error.Message, error);
        }
    }

    private static Contracts.Media ToMotion(Tensor tensor) => tensor switch
    {
        Tensor<float> { Rank: 2 } features => new Motion(features, 20, features.Shape[1] is 263 or 251 ? $"humanml3d-{features.Shape[1]}" : $"features-{features.Shape[1]}"),
        Tensor<double> { Rank: 2 or 3 } wide => ToMotion(wide.ToSingle()!),
        Tensor<float> { Rank: 3 } joints when joints.Shape[2] == 3 => new Motion(joints.Reshape(joints.Shape[0], joints.Shape[1] * 3), 20, $"joints-{joints.Shape[1]}"),
        _ => new NamedTensors(new Dictionary<string, Tensor> { ["array"] = tensor }),
    };
}
