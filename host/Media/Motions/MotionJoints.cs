using ModelZoo.Contracts;
using ModelZoo.Networks.Numerics;

namespace ModelZoo.Host.Media.Motions;

/// <summary>A motion as joints in space, whatever its representation.</summary>
/// <param name="Frames">Positions of the joints in each frame, in metres; y is up.</param>
/// <param name="FrameRate">Frames per second.</param>
/// <param name="Skeleton">How the joints hang together; null when that is not known.</param>
internal sealed record MotionJoints(Vector3D[][] Frames, double FrameRate, HumanMl3dSkeleton? Skeleton)
{
    /// <summary>Number of joints.</summary>
    public int Count => Frames.Length == 0 ? 0 : Frames[0].Length;

    /// <summary>The joint that each hangs on; -1 for the root, and for all when the skeleton is not known.</summary>
    public int[] Parents()
    {
        var parents = Enumerable.Repeat(-1, Count).ToArray();
        foreach (var chain in Skeleton?.KinematicChain ?? [])
        {
            for (var i = 1; i < chain.Length; i++) parents[chain[i]] = chain[i - 1];
        }

        return parents;
    }

    /// <summary>The joints of a motion: HumanML3D's features (263, or 251 of KIT-ML), or positions.</summary>
    /// <exception cref="MediaException">It is in another representation.</exception>
    public static MotionJoints Of(Motion motion)
    {
        var (count, width) = ((int)motion.Features.Shape[0], (int)motion.Features.Shape[1]);
        var rows = Enumerable.Range(0, count).Select(t => motion.Features.Slice(t).Span.ToArray()).ToArray();
        if (motion.Representation is "humanml3d-263" or "humanml3d-251")
        {
            var skeleton = motion.Representation == "humanml3d-263" ? HumanMl3dSkeletons.Human : HumanMl3dSkeletons.Kit;
            return new(new HumanMl3dFeatures(skeleton).RecoverFromPositions(rows), motion.FrameRate, skeleton);
        }

        if (motion.Representation != $"joints-{width / 3}" || width % 3 != 0)
            throw new MediaException(ErrorCodes.MediaUnsupported, "Nothing is known of this motion's joints.") { Expected = "humanml3d-263, humanml3d-251 or joints-N", Found = motion.Representation };
        return new([.. rows.Select(row => Enumerable.Range(0, width / 3).Select(joint => Vector3D.Read(row.AsSpan(3 * joint, 3))).ToArray())], motion.FrameRate, HumanMl3dSkeletons.Of(width / 3));
    }

    /// <summary>The joints as an array (frames, joints, 3).</summary>
    public Tensor<float> ToTensor()
    {
        var tensor = Tensor.Zeros<float>(Frames.Length, Count, 3);
        for (var t = 0; t < Frames.Length; t++)
        {
            for (var joint = 0; joint < Count; joint++) Frames[t][joint].Write(tensor.Slice(t).Slice(joint).Span);
        }

        return tensor;
    }
}
