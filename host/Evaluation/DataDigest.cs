using System.Security.Cryptography;
using System.Text;
using ModelZoo.Contracts;

namespace ModelZoo.Host.Evaluation;

/// <summary>SHA-256 over the examples that were used: ids, labels, and what the model was given.</summary>
internal sealed class DataDigest
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    /// <summary>Examples so far.</summary>
    public int Examples { get; private set; }

    public void Add(Example example)
    {
        Examples++;
        Add(example.Id);
        Add(example.Label ?? "");
        Add(example.Media);
        if (example.Target is { } target) Add(target);
    }

    /// <summary>The digest in lower-case hex.</summary>
    public override string ToString() => Convert.ToHexStringLower(_hash.GetCurrentHash());

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
