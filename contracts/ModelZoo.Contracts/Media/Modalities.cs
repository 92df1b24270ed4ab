namespace ModelZoo.Contracts;

/// <summary>Facts about modalities.</summary>
public static class Modalities
{
    /// <summary>The modality whose values are <typeparamref name="T"/>.</summary>
    public static Modality Of<T>() where T : Media =>
        typeof(T) == typeof(Text) ? Modality.Text
        : typeof(T) == typeof(Image) ? Modality.Image
        : typeof(T) == typeof(Audio) ? Modality.Audio
        : typeof(T) == typeof(Video) ? Modality.Video
        : typeof(T) == typeof(Motion) ? Modality.Motion
        : typeof(T) == typeof(Mesh) ? Modality.Mesh
        : typeof(T) == typeof(Items) ? Modality.Items
        : typeof(T) == typeof(Tokens) ? Modality.Tokens
        : Modality.Tensors;
}
