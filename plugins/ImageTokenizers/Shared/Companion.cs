using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>A published network that a method leans on and whose weights lie beside its own, in a file or folder that the user puts there: a frozen vision transformer, a text encoder. It is opened when it is first needed.</summary>
internal sealed class Companion : IDisposable
{
    private readonly string _what, _path, _source;
    private readonly Lazy<(Checkpoint Checkpoint, Network Network)> _opened;

    /// <summary>Nothing is opened yet.</summary>
    /// <param name="source">The model whose folder it lies in.</param>
    /// <param name="what">What it is, for messages: <c>DINOv2 ViT-L/14 with registers</c>.</param>
    /// <param name="path">File or folder, within the model's folder.</param>
    /// <param name="published">Where it is published, for messages.</param>
    /// <param name="build">Its network, given the full path.</param>
    public Companion(ModelSource source, string what, string path, string published, Func<string, Action<Scope>> build)
    {
        (_what, _path, _source) = (what, Path.Combine(source.RequireFolder(), path), published);
        _opened = new(() =>
        {
            var checkpoint = Checkpoint.Open(_path);
            try
            {
                return (checkpoint, Network.Build(NetworkContext.Of(source, checkpoint) with { Stages = false }, what, build(_path)));
            }
            catch
            {
                checkpoint.Dispose();
                throw;
            }
        });
    }

    /// <summary>True when its files are there.</summary>
    public bool Exists => File.Exists(_path) || Directory.Exists(_path);

    /// <summary>Says what to put where.</summary>
    /// <exception cref="CheckpointException">Its files are not there.</exception>
    public void ThrowIfMissing()
    {
        if (!Exists) throw new CheckpointException(ErrorCodes.CheckpointMissing, $"This needs {_what}, which is published apart from the tokenizer.") { Where = _path, Expected = _source, Found = "nothing", Remedy = $"Put it at {_path}." };
    }

    /// <summary>Runs it on the thread pool.</summary>
    /// <exception cref="CheckpointException">Its files are not there; the message says what to put where.</exception>
    public Task<NetworkOutputs> RunAsync(CancellationToken cancel, params (string Name, Tensor Tensor)[] inputs)
    {
        ThrowIfMissing();
        return Task.Run(() => _opened.Value.Network.Run(cancel, inputs), cancel);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!_opened.IsValueCreated) return;
        _opened.Value.Network.Dispose();
        _opened.Value.Checkpoint.Dispose();
    }
}
