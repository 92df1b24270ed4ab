using ModelZoo.Conformance;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks.Numerics;

namespace ModelZoo.Plugins.Motion.Tests;

public sealed class MotionFormatTests
{
    private static readonly MotionFormat Format = new(263, 4, [128], TokenLayout.Flat);

    [Fact]
    public void Frames_OfPositions_AreFeaturesOfTheSameMotion()
    {
        var features = NumpyFile.Read(Directory.GetFiles(Repository.Path("samples", "mmm-synthetic", "motions"), "*.npy").Order(StringComparer.Ordinal).First()).As<float>();
        var poses = Poses(features);
        var positions = Tensor.Create([.. poses.SelectMany(pose => pose).SelectMany(joint => (float[])[(float)joint.X, (float)joint.Y, (float)joint.Z])], poses.Length, 66);
        var made = Format.Frames(new(positions, 20, "joints-22"));
        Assert.Equal(263, made.Shape[1]);
        var again = Poses(made);
        // The facing direction is smoothed over time, which turns the root, but no joint leaves its place.
        for (var t = 0; t < again.Length; t++)
        {
            for (var joint = 0; joint < 22; joint++) Assert.True((again[t][joint] - poses[t][joint]).Length < 0.05, $"frame {t}, joint {joint}: {again[t][joint]} for {poses[t][joint]}");
        }
    }

    [Fact]
    public void Frames_OfAnotherRepresentation_AreRefused() =>
        Assert.Equal(ErrorCodes.MediaUnsupported, Assert.Throws<MediaException>(() => Format.Frames(new(Tensor.Zeros<float>(8, 63), 20, "joints-21"))).Code);

    [Fact]
    public void Frames_OfAFileThatDoesNotSayWhatTheyAre_GoByTheirWidth()
    {
        var format = new MotionFormat(11, 4, [9], TokenLayout.Flat);
        Assert.Equal([8, 11], format.Frames(new(Tensor.Zeros<float>(9, 11), 20, "features-11")).Shape.ToArray());
        Assert.Throws<MediaException>(() => format.Frames(new(Tensor.Zeros<float>(9, 12), 20, "features-12")));
    }

    [Fact]
    public void Frames_NotFinite_AreRefusedByFrame()
    {
        var features = Tensor.Zeros<float>(12, 263);
        features[7, 3] = float.PositiveInfinity;
        Assert.Equal("frame 7", Assert.Throws<MediaException>(() => Format.Frames(new(features, 20, "humanml3d-263"))).Where);
    }

    [Fact]
    public async Task M2dm_MoreFramesThanItTakes_AreRefusedInBothDirections()
    {
        var folder = Directory.CreateTempSubdirectory("m2dm-");
        try
        {
            foreach (var file in Directory.GetFiles(Path.Combine(Directory.GetDirectories(Repository.Path("tests", "parity", "motion", "m2dm")).Single(), "checkpoint"))) File.Copy(file, Path.Combine(folder.FullName, Path.GetFileName(file)));
            TinyParts.Statistics(folder.FullName, 11);
            await using var model = await M2dmModel.Architecture.Open(new() { Id = ModelId.Parse("motion/m2dm"), Folder = folder.FullName, Services = HostServices.Instance }, default);
            var tokenizer = model.Get<ITokenize>();
            ValueTask<Tokens> Of(int frames) => tokenizer.TokenizeAsync(new Contracts.Motion(Tensor.Zeros<float>(frames, 11), 20, "features-11"), new NoOptions());
            var tokens = await Of(35);
            Assert.Equal(8, tokens.Ids.Length);
            var error = await Assert.ThrowsAsync<MediaException>(async () => await Of(36));
            Assert.Equal(("at most 32 frames", "36"), (error.Expected, error.Found));
            Assert.NotNull(error.Remedy);
            error = await Assert.ThrowsAsync<MediaException>(async () => await tokenizer.DetokenizeAsync(tokens with { Ids = Tensor.Zeros<int>(9) }, new NoOptions()));
            Assert.Equal(("at most 32 frames", "36"), (error.Expected, error.Found));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static Vector3D[][] Poses(Tensor<float> features) =>
        new HumanMl3dFeatures(HumanMl3dSkeletons.Human).RecoverFromPositions([.. Enumerable.Range(0, (int)features.Shape[0]).Select(t => features.Slice(t).Span.ToArray())]);
}
