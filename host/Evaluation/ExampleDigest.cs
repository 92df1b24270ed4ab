using System.Security.Cryptography;
using System.Text;
using ModelZoo.Contracts;

namespace ModelZoo.Host.Evaluation;

/// <summary>SHA-256 of an example: its id, label, and what the model was given.</summary>
internal sealed class ExampleDigest : IDisposable
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    private ExampleDigest()
    {
    }

    /// <summary>The digest in lower-case hex.</summary>
    public static string Of(Example example)
    {
        using var digest = new ExampleDigest();
        digest.Add(example.Id);
        digest.Add(example.Label ?? "");
        digest.Add(example.Media);
        if (example.Target is { } target) digest.Add(target);
        return Convert.ToHexStringLower(digest._hash.GetCurrentHash());
    }

    public void Dispose() => _hash.Dispose();

    private void Add(string text) => _hash.AppendData(Encoding.UTF8.GetBytes(text + "\0"));

    private void Add(Tensor tensor)
    {
        Add(tensor.ToString());
        _hash.AppendData(tensor.Bytes);
    }

    private void Add(Contracts.Media media)
    {
        switch (media)
        {
            case Text text:
                Add(text.Value);
                break;
            case Image image:
                Add(image.Pixels);
                break;
            case Audio audio:
                Add(audio.SampleRate.ToString(System.Globalization.CultureInfo.InvariantCulture));
                Add(audio.Samples);
                break;
            case Video video:
                Add(video.Frames);
                break;
            case Motion motion:
                Add(motion.Features);
                break;
            case Mesh mesh:
                Add(mesh.Vertices);
                if (mesh.Faces is not null) Add(mesh.Faces);
                break;
            case Items items:
                foreach (var id in items.Ids) Add(id);
                break;
            case Tokens tokens:
                Add(tokens.Ids);
                break;
            case NamedTensors tensors:
                foreach (var (name, tensor) in tensors.Values.OrderBy(pair => pair.Key, StringComparer.Ordinal))
                {
                    Add(name);
                    Add(tensor);
                }

                break;
        }
    }
}
