using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using ModelZoo.Contracts;

namespace ModelZoo.Host.Media;

/// <summary>Reads every other format through the <c>ffmpeg</c> that is installed. It is started with an argument list, never through a shell.</summary>
internal static class Ffmpeg
{
    // A small file may hold hours of silence.
    private const long MostBytes = 1L << 30;

    private static readonly HashSet<string> Sounds = new(StringComparer.OrdinalIgnoreCase) { ".mp3", ".flac", ".ogg", ".opus", ".m4a", ".aac", ".aiff", ".aif", ".wma", ".g722", ".au", ".w64", ".caf" };
    private static readonly HashSet<string> Pictures = new(StringComparer.OrdinalIgnoreCase) { ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".tga" };
    private static readonly HashSet<string> Videos = new(StringComparer.OrdinalIgnoreCase) { ".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mpg", ".mpeg" };

    /// <summary>True for the formats that are asked of ffmpeg.</summary>
    public static bool Knows(string path) => Path.GetExtension(path) is var extension && (Sounds.Contains(extension) || Pictures.Contains(extension) || Videos.Contains(extension));

    /// <summary>The first line of <c>ffmpeg -version</c>, or null when it is not installed.</summary>
    public static async Task<string?> VersionAsync(CancellationToken cancel)
    {
        try
        {
            return System.Text.Encoding.UTF8.GetString(await RunAsync("ffmpeg", ["-version"], null, cancel).ConfigureAwait(false)).Split('\n')[0].Trim();
        }
        catch (MediaException)
        {
            return null;
        }
    }

    /// <summary>Reads a file.</summary>
    /// <exception cref="MediaException">ffmpeg is not installed, or refuses the file.</exception>
    public static async ValueTask<Contracts.Media> ReadAsync(string path, CancellationToken cancel, long pixels = PngReader.PixelLimit)
    {
        var extension = Path.GetExtension(path);
        if (Sounds.Contains(extension))
            return WavFile.Read(await ConvertAsync(path, ["-vn", "-c:a", "pcm_f32le", "-f", "wav", "pipe:1"], cancel).ConfigureAwait(false), path);
        if (Pictures.Contains(extension))
            return PngReader.Read(await ConvertAsync(path, ["-frames:v", "1", "-c:v", "png", "-f", "image2pipe", "pipe:1"], cancel).ConfigureAwait(false), path, pixels);
        return await ReadVideoAsync(path, cancel).ConfigureAwait(false);
    }

    private static Task<byte[]> ConvertAsync(string path, string[] output, CancellationToken cancel) =>
        RunAsync("ffmpeg", ["-nostdin", "-v", "error", "-i", "file:" + Path.GetFullPath(path), .. output], path, cancel);

    private static async Task<Video> ReadVideoAsync(string path, CancellationToken cancel)
    {
        var facts = await RunAsync("ffprobe", ["-v", "error", "-select_streams", "v:0", "-show_entries", "stream=width,height,avg_frame_rate", "-of", "json", "file:" + Path.GetFullPath(path)], path, cancel).ConfigureAwait(false);
        using var json = JsonDocument.Parse(facts);
        if (!json.RootElement.TryGetProperty("streams", out var streams) || streams.GetArrayLength() == 0) throw new MediaException(ErrorCodes.MediaMalformed, "The file has no video.") { Where = path };
        var (width, height) = (streams[0].GetProperty("width").GetInt32(), streams[0].GetProperty("height").GetInt32());
        var rate = streams[0].GetProperty("avg_frame_rate").GetString()!.Split('/');
        var bytes = await ConvertAsync(path, ["-an", "-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"], cancel).ConfigureAwait(false);
        var frames = bytes.Length / (3 * width * height);
        var pixels = new float[(long)frames * 3 * width * height];
        for (var i = 0; i < pixels.Length; i++)
        {
            var (frame, rest) = (i / (3 * width * height), i % (3 * width * height));
            var (channel, at) = (rest / (width * height), rest % (width * height));
            pixels[i] = bytes[frame * 3 * width * height + 3 * at + channel] / 255f;
        }

        return new(Tensor.Create(pixels, frames, 3, height, width), double.Parse(rate[0], CultureInfo.InvariantCulture) / double.Parse(rate.ElementAtOrDefault(1) ?? "1", CultureInfo.InvariantCulture));
    }

    private static async Task<byte[]> RunAsync(string program, IEnumerable<string> arguments, string? path, CancellationToken cancel)
    {
        var start = new ProcessStartInfo(program) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true, UseShellExecute = false, CreateNoWindow = true };
        foreach (var argument in arguments) start.ArgumentList.Add(argument);
        using var process = Start(start, path);
        process.StandardInput.Close();
        try
        {
            using var output = new MemoryStream();
            var errors = process.StandardError.ReadToEndAsync(cancel);
            var buffer = new byte[1 << 16];
            while (await process.StandardOutput.BaseStream.ReadAsync(buffer, cancel).ConfigureAwait(false) is > 0 and var read)
            {
                if (output.Length + read > MostBytes) throw new MediaException(ErrorCodes.MediaUnsupported, "The file is too long.") { Where = path, Expected = $"at most {MostBytes >> 20} MB when it is decoded" };
                output.Write(buffer, 0, read);
            }

            await process.WaitForExitAsync(cancel).ConfigureAwait(false);
            var message = (await errors.ConfigureAwait(false)).Trim();
            return process.ExitCode == 0 ? output.ToArray() : throw new MediaException(ErrorCodes.MediaMalformed, $"{program} cannot read the file: {message}") { Where = path };
        }
        finally
        {
            if (!process.HasExited) process.Kill(entireProcessTree: true);
        }
    }

    private static Process Start(ProcessStartInfo start, string? path)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception error)
        {
            throw new MediaException(ErrorCodes.MediaUnsupported, $"This format is read by {start.FileName}, which is not installed.", error)
            { Where = path, Expected = "WAV or PNG, which need nothing", Remedy = "Install ffmpeg (for example: apt install ffmpeg), or convert the file." };
        }
    }
}
