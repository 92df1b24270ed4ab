using System;
using System.Collections.Generic;
using System.ComponentModel;
using System.Diagnostics;
using System.IO;
using System.IO.Compression;
using System.Linq;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;

/// <summary>
/// Build task: fetches the npm package of a lock file (scripts are never run), compares its SHA-512 with the lock, and unpacks the files of one platform into a folder.
/// The folder appears whole or not at all, so builds may run side by side.
/// </summary>
public sealed class FetchOnnxRuntime : Task
{
    private const string Remedy = " Or set MODELZOO_ONNXRUNTIME to the path of an ONNX Runtime library (1.23 or newer) that you have.";

    /// <summary>onnxruntime.lock.json.</summary>
    [Required] public string LockFile { get; set; }

    /// <summary>For example linux-x64.</summary>
    [Required] public string Platform { get; set; }

    /// <summary>Where the files go.</summary>
    [Required] public string Folder { get; set; }

    public override bool Execute()
    {
        var lockText = File.ReadAllText(LockFile);
        var package = Value(lockText, "package") + "@" + Value(lockText, "version");
        var files = Files(lockText);
        if (files.Count == 0) return Fail("MZ0001", package + " has no library for " + Platform + ".");

        var scratch = Folder + "." + Guid.NewGuid().ToString("N");
        try
        {
            Directory.CreateDirectory(scratch);
            Log.LogMessage(MessageImportance.High, "Fetching " + package + " for " + Platform + " (once; about 110 MB)...");
            if (!Pack(package, scratch)) return false;

            var archive = Directory.GetFiles(scratch, "*.tgz").Single();
            var expected = Value(lockText, "integrity");
            var found = Integrity(archive);
            if (found != expected)
                return Fail("MZ0004", package + " is not the package that was pinned: expected " + expected + ", found " + found + ". Check the registry and proxy that npm uses.");

            var unpacked = Path.Combine(scratch, "files");
            Directory.CreateDirectory(unpacked);
            var missing = Unpack(archive, files, unpacked);
            if (missing.Count > 0) return Fail("MZ0005", package + " lacks " + string.Join(", ", missing) + ".");
            Publish(unpacked);
            return true;
        }
        catch (Exception e) when (e is IOException || e is UnauthorizedAccessException || e is InvalidDataException)
        {
            return Fail("MZ0006", "The library of ONNX Runtime could not be unpacked to " + Folder + ": " + e.Message + " Set MODELZOO_CACHE to a folder with room that you can write to.");
        }
        finally
        {
            if (Directory.Exists(scratch)) Directory.Delete(scratch, recursive: true);
        }
    }

    private bool Pack(string package, string folder)
    {
        var arguments = "pack " + package + " --ignore-scripts --loglevel=error";
        var windows = Path.DirectorySeparatorChar == '\\';
        var start = new ProcessStartInfo(windows ? "cmd.exe" : "npm", windows ? "/c npm " + arguments : arguments)
        {
            WorkingDirectory = folder, UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true, CreateNoWindow = true,
        };
        try
        {
            using (var npm = Process.Start(start))
            {
                var errors = new StringBuilder();
                npm.ErrorDataReceived += (_, line) => errors.Append(Reason(line.Data, errors.Length));
                npm.BeginErrorReadLine();
                npm.StandardOutput.ReadToEnd();
                npm.WaitForExit();
                return npm.ExitCode == 0 || Fail("MZ0003", "npm could not fetch " + package + ": " + errors.ToString().TrimEnd(' ', ';') + ". Check the network, or npm's registry and proxy settings.");
            }
        }
        catch (Win32Exception)
        {
            return Fail("MZ0002", "npm is needed once, to fetch " + package + ", and is not installed. Install Node.js (nodejs.org, or your system's package 'npm').");
        }
    }

    /// <summary>What a line of npm's says, without its prefix; nothing for the lines after the first few and those of its own source.</summary>
    private static string Reason(string line, int soFar)
    {
        var text = Regex.Replace(line ?? "", "^npm (error|ERR!) ?", "").Trim();
        return text.Length == 0 || text.StartsWith("at ", StringComparison.Ordinal) || soFar > 300 ? "" : text + "; ";
    }

    /// <summary>Another build may have been faster; its files are the same.</summary>
    private void Publish(string unpacked)
    {
        try
        {
            Directory.Move(unpacked, Folder);
        }
        catch (IOException) when (Directory.Exists(Folder))
        {
            Log.LogMessage(MessageImportance.Low, Folder + " was made by another build.");
        }
    }

    private bool Fail(string code, string message)
    {
        Log.LogError(null, code, null, null, 0, 0, 0, 0, message + Remedy);
        return false;
    }

    private static string Value(string json, string key)
    {
        return Regex.Match(json, "\"" + key + "\": \"([^\"]+)\"").Groups[1].Value;
    }

    private HashSet<string> Files(string json)
    {
        var list = Regex.Match(json, "\"" + Regex.Escape(Platform) + "\": \\[([^\\]]*)\\]").Groups[1].Value;
        return new HashSet<string>(Regex.Matches(list, "\"([^\"]+)\"").Cast<Match>().Select(m => "package/" + m.Groups[1].Value));
    }

    private static string Integrity(string file)
    {
        using (var sha = SHA512.Create())
        using (var stream = File.OpenRead(file))
            return "sha512-" + Convert.ToBase64String(sha.ComputeHash(stream));
    }

    /// <summary>Copies the wanted members of a gzipped tar (ustar headers: name at 0, octal size at 124, prefix at 345); returns those that are not there.</summary>
    private static HashSet<string> Unpack(string archive, HashSet<string> wanted, string folder)
    {
        var missing = new HashSet<string>(wanted);
        var header = new byte[512];
        using (var tar = new GZipStream(File.OpenRead(archive), CompressionMode.Decompress))
        {
            while (missing.Count > 0 && Fill(tar, header) && header[0] != 0)
            {
                var prefix = Text(header, 345, 155);
                var name = (prefix.Length > 0 ? prefix + "/" : "") + Text(header, 0, 100);
                var size = Convert.ToInt64(Text(header, 124, 12).Trim(), 8);
                if (missing.Remove(name))
                {
                    using (var file = File.Create(Path.Combine(folder, Path.GetFileName(name)))) Copy(tar, file, size);
                    Copy(tar, Stream.Null, (512 - size % 512) % 512);
                }
                else
                {
                    Copy(tar, Stream.Null, (size + 511) / 512 * 512);
                }
            }
        }

        return missing;
    }

    private static string Text(byte[] header, int start, int length)
    {
        var end = Array.IndexOf(header, (byte)0, start, length);
        return Encoding.ASCII.GetString(header, start, end < 0 ? length : end - start);
    }

    private static bool Fill(Stream source, byte[] buffer)
    {
        for (var filled = 0; filled < buffer.Length;)
        {
            var read = source.Read(buffer, filled, buffer.Length - filled);
            if (read == 0) return false;
            filled += read;
        }

        return true;
    }

    private static void Copy(Stream source, Stream destination, long count)
    {
        var buffer = new byte[1 << 16];
        while (count > 0)
        {
            var read = source.Read(buffer, 0, (int)Math.Min(buffer.Length, count));
            if (read == 0) throw new InvalidDataException("the archive ends too early.");
            destination.Write(buffer, 0, read);
            count -= read;
        }
    }
}
