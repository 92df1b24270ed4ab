using System.Globalization;
using ModelZoo.Contracts;
using ModelZoo.Inference.Gguf;
using ModelZoo.Inference.Torch;

namespace ModelZoo.Inference.Tests.Checkpoints;

/// <summary>
/// Damaged files: whatever a byte becomes, a reader gives tensors that lie within the file or says what is wrong. MODELZOO_FUZZ sets the number of files a format
/// (1,000,000 in a long run).
/// </summary>
public sealed class ReaderFuzzTests
{
    private static readonly int Count = int.Parse(Environment.GetEnvironmentVariable("MODELZOO_FUZZ") ?? "1000", CultureInfo.InvariantCulture);

    public static TheoryData<string> Seeds => ["everything-zip.pt", "everything-legacy.pt", "everything-protocol4.pt", "plain.pkl", "arrays.npz", "fortran.npy", "safetensors", "gguf"];

    [Theory, MemberData(nameof(Seeds))]
    public void Open_DamagedFile_NeverCrashesHangsOrReadsOutside(string name)
    {
        var seed = name == "safetensors" ? Safetensors() : name == "gguf" ? Gguf() : File.ReadAllBytes(PyTorchFileTests.Data(name));
        var random = new Random(20260101);
        for (var i = 0; i < Count; i++)
        {
            var file = ByteBlock.Copy(name, Damage(seed, random));
            try
            {
                var tensors = SafetensorsFile.Recognizes(file) ? SafetensorsFile.Read(file) : GgufFile.Recognizes(file) ? GgufFile.Read(file).Tensors : ValueTree.Of(new(name), PyTorchFile.Read(file)).Tensors;
                foreach (var tensor in tensors) CheckPlace(tensor.Data, file);
            }
            catch (CheckpointException)
            {
                // Said what is wrong.
            }
        }
    }

    // What is used in place begins and ends within the file.
    private static unsafe void CheckPlace(WeightData data, ByteBlock file)
    {
        var offset = data.Address - (nint)file.Address;
        if (ReferenceEquals(data.Owner, file.Owner)) Assert.InRange(offset, 0, file.Length - data.ByteLength);
    }

    private static byte[] Damage(byte[] seed, Random random)
    {
        var bytes = (byte[])seed.Clone();
        for (var n = random.Next(1, 5); n > 0; n--)
        {
            var at = random.Next(bytes.Length);
            switch (random.Next(6))
            {
                case 0: bytes[at] = (byte)random.Next(256); break;
                case 1: bytes[at] ^= (byte)(1 << random.Next(8)); break;
                case 2: bytes.AsSpan(at, Math.Min(random.Next(1, 9), bytes.Length - at)).Fill(random.Next(2) == 0 ? (byte)0xff : (byte)0); break;
                case 3: bytes = [.. bytes[..at], .. bytes[Math.Min(at + random.Next(1, 16), bytes.Length - 1)..]]; break;
                case 4: bytes = [.. bytes[..at], .. bytes[random.Next(bytes.Length)..].Take(random.Next(1, 32)), .. bytes[at..]]; break;
                default: bytes = bytes[..Math.Max(at, 1)]; break;
            }
        }

        return bytes;
    }

    private static byte[] Safetensors()
    {
        using var stream = new MemoryStream();
        SafetensorsWriter.Write(stream, new Dictionary<string, Tensor> { ["a"] = Tensor.Zeros<float>(4, 3), ["b.c"] = Tensor.Zeros<long>(5), ["d"] = Tensor.Zeros<Half>(1, 2, 3) });
        return stream.ToArray();
    }

    private static byte[] Gguf() => GgufBytes.Make([("general.name", 8, "tiny"), ("general.alignment", 4, 32u), ("names", 9, new[] { "a", "b" })],
        ("a", 0, [3, 2], new byte[24]), ("b", 8, [32, 2], new byte[68]), ("c", 14, [256], new byte[210]), ("d", 30, [5], new byte[10]),
        ("e", 10, [256], new byte[84]), ("f", 11, [256], new byte[110]), ("g", 20, [32, 2], new byte[36]), ("h", 23, [256], new byte[136]));
}
