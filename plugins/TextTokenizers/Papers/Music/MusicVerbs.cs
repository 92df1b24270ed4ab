using ModelZoo.Contracts;

namespace ModelZoo.Plugins.TextTokenizers.Papers.Music;

/// <summary>The verb tokenize from the bytes of a MIDI file to ids, one track after the other, and back. How many ids each track has travels with them as <c>tracks</c>.</summary>
internal sealed class MusicVerbs(string model, SymbolicMusicBpe music) : ITokenize
{
    private const string BytesName = "bytes", TracksName = "tracks";

    private readonly TokenSpace _space = new(model, TokenLayout.Flat, [music.VocabularySize], music.VocabularyDigest);

    public Modality Takes => Modality.Tensors;

    public OptionsSchema TokenizeOptions { get; } = OptionsSchema.Of<NoOptions>();

    public ValueTask<Tokens> TokenizeAsync(Media media, ModelOptions options, CancellationToken cancel = default)
    {
        cancel.ThrowIfCancellationRequested();
        var file = media.Expect<NamedTensors>().Values.GetValueOrDefault(BytesName) as Tensor<byte>
            ?? throw new MediaException(ErrorCodes.MediaUnsupported, "Music is the bytes of a MIDI file.") { Expected = $"a .mid file, or a tensor '{BytesName}' of uint8", Found = string.Join(", ", media.Expect<NamedTensors>().Values.Keys) };
        var tracks = music.Encode(MidiFile.Read(file.Span));
        int[] ids = [.. tracks.SelectMany(track => track)];
        return ValueTask.FromResult(new Tokens(_space, Tensor.Create(ids, ids.Length))
        {
            SourceLength = file.Length,
            Extras = new Dictionary<string, Tensor> { [TracksName] = Tensor.Create([.. tracks.Select(track => track.Length)], tracks.Count) },
        });
    }

    public ValueTask<Media> DetokenizeAsync(Tokens tokens, ModelOptions options, CancellationToken cancel = default)
    {
        var ids = tokens.Expect(_space).Ids.Span;
        int[] lengths = tokens.Extras.TryGetValue(TracksName, out var extra) ? extra.As<int>().Span.ToArray() : [ids.Length];
        if (lengths.Any(length => length < 0) || lengths.Sum(length => (long)length) != ids.Length)
            throw new MediaException(ErrorCodes.TokensInvalid, "The tracks are not as long as the tokens.") { Where = TracksName, Expected = $"{ids.Length} in all", Found = string.Join(" + ", lengths) };
        var tracks = new List<int[]>();
        var start = 0;
        foreach (var length in lengths)
        {
            tracks.Add(ids.Slice(start, length).ToArray());
            start += length;
        }

        var bytes = MidiFile.Write(music.Decode(tracks));
        return ValueTask.FromResult<Media>(new NamedTensors(new Dictionary<string, Tensor> { [BytesName] = Tensor.Create(bytes, bytes.Length) }));
    }
}
