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

    private static Vector3D[][] Poses(Tensor<float> features) =>
        new HumanMl3dFeatures(HumanMl3dSkeletons.Human).RecoverFromPositions([.. Enumerable.Range(0, (int)features.Shape[0]).Select(t => features.Slice(t).Span.ToArray())]);
}
