using ModelZoo.Conformance;
using ModelZoo.Contracts;
using ModelZoo.Networks.Parity;

namespace ModelZoo.Plugins.Speech.Tests;

/// <summary>The law of batches: a sound among others of its length becomes the codes, and codes the sound, that they become alone.</summary>
public sealed class IndependentRowsTests
{
    private const int Batch = 3, Samples = 960;

    [Theory]
    [InlineData("speech/encodec", "tiny-24k", "input_values", "audio_codes", 1)]
    [InlineData("speech/dac", "tiny-hf", "input_values", "audio_codes", 0)]
    [InlineData("speech/dac", "dims", "input_values", "audio_codes", 0)]
    [InlineData("speech/mimi", "tiny-a", "input_values", "audio_codes", 0)]
    [InlineData("speech/bigcodec", "tiny-a", "audio", null, 1)]
    [InlineData("speech/snac", "tiny-attn", "audio", null, 0)]
    [InlineData("speech/xcodec", "tiny-hubert", "input_values", "audio_codes", 0)]
    public async Task EncodeAndDecode_OfABatch_EqualsEachAlone(string id, string @case, string sound, string? codes, int axis)
    {
        await using var model = await new SpeechPlugin().Architectures.Single(architecture => architecture.Card.Id == id).Open(
            new() { Id = ModelId.Parse($"{id}.{@case}"), Folder = Repository.Path(["tests", "parity", .. id.Split('/'), @case, "checkpoint"]), Services = HostServices.Instance }, CancellationToken.None);
        var calls = model.Get<IReferenceCalls>();
        var sounds = Enumerable.Range(0, Batch).Select(Sound).ToArray();
        var together = await calls.CallAsync("encode", new CallArguments().With(sound, Join(sounds)));
        for (var row = 0; row < Batch; row++)
        {
            var alone = await calls.CallAsync("encode", new CallArguments().With(sound, sounds[row]));
            foreach (var (name, value) in alone.Values.Where(pair => pair.Key.StartsWith("codes", StringComparison.Ordinal))) Same(name, Row((Tensor)value, axis, 0), Row(together.Tensor(name), axis, row));
            if (codes is null) continue;
            var heard = await calls.CallAsync("decode", new CallArguments().With(codes, alone.Tensor("codes")));
            Same("reconstruction", heard.Tensor("reconstruction").As<float>().Slice(0), (await calls.CallAsync("decode", new CallArguments().With(codes, together.Tensor("codes")))).Tensor("reconstruction").As<float>().Slice(row));
        }
    }

    // A batch may take other kernels, whose sums round otherwise; codes are the same.
    private static void Same(string name, Tensor expected, Tensor actual) => Assert.Null(TensorComparison.Compare(name, actual, expected, exact: false, tolerance: expected.Type.IsFloat() ? 1e-5 : null).Problem);

    // The batch is the second axis where chunks or codebooks come first.
    private static Tensor<long> Row(Tensor codes, int axis, int row)
    {
        var all = codes.As<long>();
        if (axis == 0) return all.Slice(row);
        long[] ids = [.. Enumerable.Range(0, (int)all.Shape[0]).SelectMany(outer => all.Slice(outer).Slice(row).Span.ToArray())];
        return Tensor.Create(ids, ids.Length);
    }

    private static Tensor<float> Sound(int number) =>
        Tensor.Create([.. Enumerable.Range(0, Samples).Select(i => 0.3f * MathF.Sin((0.05f + 0.02f * number) * i) + 0.1f * MathF.Sin(0.31f * i + 0.0001f * number * i * i))], 1, 1, Samples);

    private static Tensor<float> Join(Tensor<float>[] rows) => Tensor.Create([.. rows.SelectMany(row => row.Span.ToArray())], rows.Length, 1, Samples);
}
