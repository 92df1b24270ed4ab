namespace ModelZoo.Contracts;

/// <summary>The kinds of media, for cards and routes.</summary>
public enum Modality
{
    /// <summary>Unicode text.</summary>
    Text,
    /// <summary>A picture.</summary>
    Image,
    /// <summary>Sound.</summary>
    Audio,
    /// <summary>Pictures in time.</summary>
    Video,
    /// <summary>A body in motion.</summary>
    Motion,
    /// <summary>A surface or a point cloud.</summary>
    Mesh,
    /// <summary>What somebody used, bought or watched, in order.</summary>
    Items,
    /// <summary>Named tensors: anything else.</summary>
    Tensors,
    /// <summary>Token ids.</summary>
    Tokens,
}

/// <summary>A value that a model takes or gives. The set is closed: every host and client knows all of them.</summary>
public abstract record Media
{
    private protected Media(Modality modality) => Modality = modality;

    /// <summary>Which kind this is.</summary>
    public Modality Modality { get; }

    /// <summary>This value as <typeparamref name="T"/>.</summary>
    /// <exception cref="MediaException">It is of another kind.</exception>
    public T Expect<T>() where T : Media =>
        this as T ?? throw new MediaException(ErrorCodes.MediaUnsupported, "The model takes another kind of media.")
        { Expected = typeof(T).Name, Found = GetType().Name };
}

/// <summary>Unicode text.</summary>
/// <param name="Value">The characters.</param>
public sealed record Text(string Value) : Media(Modality.Text);

/// <summary>A picture, or one frame of a video.</summary>
/// <param name="Pixels">(channels, height, width), linear in 0..1; one channel is grey, three are red, green, blue, four add alpha.</param>
public sealed record Image(Tensor<float> Pixels) : Media(Modality.Image)
{
    /// <summary>Number of channels.</summary>
    public int Channels => (int)Pixels.Shape[0];
    /// <summary>Rows.</summary>
    public int Height => (int)Pixels.Shape[1];
    /// <summary>Columns.</summary>
    public int Width => (int)Pixels.Shape[2];
}

/// <summary>Sound.</summary>
/// <param name="Samples">(channels, samples), in -1..1.</param>
/// <param name="SampleRate">Samples per second.</param>
public sealed record Audio(Tensor<float> Samples, int SampleRate) : Media(Modality.Audio)
{
    /// <summary>Number of channels.</summary>
    public int Channels => (int)Samples.Shape[0];
    /// <summary>Samples per channel.</summary>
    public int Length => (int)Samples.Shape[1];
    /// <summary>Length in seconds.</summary>
    public double Seconds => (double)Length / SampleRate;
}

/// <summary>Pictures in time.</summary>
/// <param name="Frames">(frames, channels, height, width), in 0..1.</param>
/// <param name="FrameRate">Frames per second.</param>
public sealed record Video(Tensor<float> Frames, double FrameRate) : Media(Modality.Video);

/// <summary>A body in motion.</summary>
/// <param name="Features">(frames, features), in the representation named by <paramref name="Representation"/>.</param>
/// <param name="FrameRate">Frames per second.</param>
/// <param name="Representation">For example <c>humanml3d-263</c> or <c>joints-22</c> (22 x 3 positions in metres).</param>
public sealed record Motion(Tensor<float> Features, double FrameRate, string Representation) : Media(Modality.Motion);

/// <summary>A surface, or a point cloud when it has no faces.</summary>
/// <param name="Vertices">(vertices, 3).</param>
/// <param name="Faces">(faces, 3) vertex indices.</param>
public sealed record Mesh(Tensor<float> Vertices, Tensor<int>? Faces = null) : Media(Modality.Mesh);

/// <summary>What somebody used, bought or watched, oldest first; or a ranked list, best first.</summary>
/// <param name="Ids">Item ids in the data set's own numbering.</param>
/// <param name="Scores">One score an item, where the list is ranked.</param>
public sealed record Items(IReadOnlyList<string> Ids, IReadOnlyList<double>? Scores = null) : Media(Modality.Items);

/// <summary>Named tensors: what has no kind of its own.</summary>
/// <param name="Values">The tensors by name.</param>
public sealed record NamedTensors(IReadOnlyDictionary<string, Tensor> Values) : Media(Modality.Tensors);
