// Generating Diverse and Natural 3D Human Motions from Text. Guo et al. CVPR 2022. Code: EricGuo5513/text-to-motion, scripts/motion_process.py (HumanML3D's motion representation).
namespace ModelZoo.Networks.Numerics;

/// <summary>The constants of a data set's skeleton; names as in the authors' code.</summary>
public sealed record HumanMl3dSkeleton
{
    /// <summary>Number of joints; joint 0 is the root.</summary>
    public required int JointsNum { get; init; }
    /// <summary>First joint index of the leg whose length sets the scale.</summary>
    public int LIdx1 { get; init; }
    /// <summary>Second joint index of that leg.</summary>
    public int LIdx2 { get; init; }
    /// <summary>Right foot's joints.</summary>
    public int[] FidR { get; init; } = [];
    /// <summary>Left foot's joints.</summary>
    public int[] FidL { get; init; } = [];
    /// <summary>Right hip, left hip, right shoulder, left shoulder.</summary>
    public int[] FaceJointIndx { get; init; } = [];
    /// <summary>Chains of joints from the root outwards.</summary>
    public required int[][] KinematicChain { get; init; }
    /// <summary>Unit direction of each bone in the rest pose.</summary>
    public required double[][] RawOffsets { get; init; }
    /// <summary>Largest squared speed of a foot on the ground, when a call names none.</summary>
    public double FeetThre { get; init; } = 0.002;

    internal Vector3D Rest(int joint) => new(RawOffsets[joint][0], RawOffsets[joint][1], RawOffsets[joint][2]);
}

/// <summary>Joint positions to the 263 (or 251) numbers a frame and back.</summary>
/// <param name="skeleton">The data set's constants.</param>
public sealed class HumanMl3dFeatures(HumanMl3dSkeleton skeleton)
{
    private int Joints => skeleton.JointsNum;

    /// <summary>Numbers of a frame.</summary>
    public int Width => 4 + (Joints - 1) * 9 + Joints * 3 + 4;

    /// <summary>The motion on a skeleton of other bone lengths, scaled by the lengths of the legs.</summary>
    /// <param name="positions">Frames of joints.</param>
    /// <param name="offsets">Bones of the target skeleton.</param>
    public Vector3D[][] Retarget(Vector3D[][] positions, Vector3D[] offsets)
    {
        var parents = new int[Joints];
        foreach (var chain in skeleton.KinematicChain)
        {
            for (var j = 1; j < chain.Length; j++) parents[chain[j]] = chain[j - 1];
        }

        var scale = (Extent(offsets[skeleton.LIdx1]) + Extent(offsets[skeleton.LIdx2])) / (Extent(Bone(skeleton.LIdx1)) + Extent(Bone(skeleton.LIdx2)));
        var rotations = InverseKinematics(positions, smoothForward: false);
        return [.. positions.Select((pose, t) => ForwardKinematics(Array.ConvertAll(rotations[t], RotationMatrix.From), scale * pose[0], offsets))];

        Vector3D Bone(int joint) => (positions[0][joint] - positions[0][parents[joint]]).Length * skeleton.Rest(joint);
        static double Extent(Vector3D v) => Math.Max(Math.Abs(v.X), Math.Max(Math.Abs(v.Y), Math.Abs(v.Z)));
    }

    /// <summary>Retargets, puts the feet on the floor and the first pose at the origin facing +Z, and extracts the features: one row fewer than frames.</summary>
    public (Vector3D[][] Global, Vector3D[][] Local, float[][] Features) Process(Vector3D[][] positions, Vector3D[] targetOffsets, double? footThreshold = null)
    {
        var moved = Retarget(positions, targetOffsets);
        var floor = moved.Min(pose => pose.Min(joint => joint.Y));
        var origin = moved[0][0];
        var (rightHip, leftHip, rightShoulder, leftShoulder) = (skeleton.FaceJointIndx[0], skeleton.FaceJointIndx[1], skeleton.FaceJointIndx[2], skeleton.FaceJointIndx[3]);
        var across = moved[0][rightHip] - moved[0][leftHip] + (moved[0][rightShoulder] - moved[0][leftShoulder]);
        var turn = QuaternionD.Between(Vector3D.Cross(new(0, 1, 0), across.Normalized).Normalized, new(0, 0, 1));
        var global = moved.Select(pose => pose.Select(joint => turn.Rotate(joint - new Vector3D(origin.X, floor, origin.Z))).ToArray()).ToArray();
        var (local, features) = Extract(global, footThreshold ?? skeleton.FeetThre);
        return (global, local, features);
    }

    /// <summary>Yaw and position of the root in every frame. The velocity of the yaw is that of the HALF angle, so its sum is the quaternion's own angle.</summary>
    public static (QuaternionD[] Rotation, Vector3D[] Position) RecoverRoot(IReadOnlyList<float[]> features)
    {
        var (rotations, positions) = (new QuaternionD[features.Count], new Vector3D[features.Count]);
        var (angle, position) = (0.0, new Vector3D(0, 0, 0));
        for (var t = 0; t < features.Count; t++)
        {
            if (t > 0) angle += features[t - 1][0];
            rotations[t] = new(Math.Cos(angle), 0, Math.Sin(angle), 0);
            if (t > 0) position += rotations[t].Conjugate.Rotate(new(features[t - 1][1], 0, features[t - 1][2]));
            positions[t] = position with { Y = features[t][3] };
        }

        return (rotations, positions);
    }

    /// <summary>Joints from the rotation-invariant positions.</summary>
    public Vector3D[][] RecoverFromPositions(IReadOnlyList<float[]> features)
    {
        var (rotations, roots) = RecoverRoot(features);
        return [.. features.Select((row, t) => Enumerable.Range(0, Joints).Select(joint =>
            joint == 0 ? roots[t] : rotations[t].Conjugate.Rotate(Vector3D.Read(row.AsSpan(4 + 3 * (joint - 1), 3))) + roots[t] with { Y = 0 }).ToArray())];
    }

    /// <summary>Joints from the rotations, on a skeleton of the given bones.</summary>
    public Vector3D[][] RecoverFromRotations(IReadOnlyList<float[]> features, Vector3D[] offsets)
    {
        var (roots, positions) = RecoverRoot(features);
        var start = 4 + 3 * (Joints - 1);
        return [.. features.Select((row, t) => ForwardKinematics(
            [RotationMatrix.From(roots[t]), .. Enumerable.Range(0, Joints - 1).Select(j => RotationMatrix.FromColumns(Vector3D.Read(row.AsSpan(start + 6 * j, 3)), Vector3D.Read(row.AsSpan(start + 6 * j + 3, 3))))],
            positions[t], offsets))];
    }

    private (Vector3D[][] Local, float[][] Features) Extract(Vector3D[][] global, double footThreshold)
    {
        var rotations = InverseKinematics(global, smoothForward: true);
        var local = global.Select((pose, t) => pose.Select(joint => rotations[t][0].Rotate(joint - pose[0] with { Y = 0 })).ToArray()).ToArray();
        var features = new float[global.Length - 1][];
        for (var t = 0; t < features.Length; t++)
        {
            var row = new List<double>(Width);
            var yaw = rotations[t + 1][0] * rotations[t][0].Conjugate;
            var velocity = rotations[t + 1][0].Rotate(global[t + 1][0] - global[t][0]);
            row.AddRange([Math.Asin(yaw.Y), velocity.X, velocity.Z, local[t][0].Y]);
            foreach (var joint in local[t].Skip(1)) row.AddRange([joint.X, joint.Y, joint.Z]);
            foreach (var matrix in rotations[t].Skip(1).Select(RotationMatrix.From)) row.AddRange([matrix.C0.X, matrix.C0.Y, matrix.C0.Z, matrix.C1.X, matrix.C1.Y, matrix.C1.Z]);
            for (var joint = 0; joint < Joints; joint++)
            {
                var v = rotations[t][0].Rotate(global[t + 1][joint] - global[t][joint]);
                row.AddRange([v.X, v.Y, v.Z]);
            }

            foreach (var foot in skeleton.FidL.Concat(skeleton.FidR))
            {
                var step = global[t + 1][foot] - global[t][foot];
                row.Add(Vector3D.Dot(step, step) < footThreshold ? 1 : 0);
            }

            features[t] = [.. row.Select(value => (float)value)];
        }

        return (local, features);
    }

    // Each chain starts from the root's yaw; the first frame's root is the identity. Left and right are named as the authors read them here.
    private QuaternionD[][] InverseKinematics(Vector3D[][] positions, bool smoothForward)
    {
        var (leftHip, rightHip, rightShoulder, leftShoulder) = (skeleton.FaceJointIndx[0], skeleton.FaceJointIndx[1], skeleton.FaceJointIndx[2], skeleton.FaceJointIndx[3]);
        var forward = positions.Select(pose => Vector3D.Cross(new(0, 1, 0), (pose[rightHip] - pose[leftHip] + (pose[rightShoulder] - pose[leftShoulder])).Normalized)).ToArray();
        if (smoothForward) forward = Smoothed(forward, sigma: 20);
        var result = new QuaternionD[positions.Length][];
        for (var t = 0; t < positions.Length; t++)
        {
            var rotations = new QuaternionD[Joints];
            rotations[0] = t == 0 ? QuaternionD.Identity : QuaternionD.Between(forward[t].Normalized, new(0, 0, 1));
            foreach (var chain in skeleton.KinematicChain)
            {
                var total = rotations[0];
                for (var j = 1; j < chain.Length; j++)
                {
                    var bone = (positions[t][chain[j]] - positions[t][chain[j - 1]]).Normalized;
                    var turn = total.Conjugate * QuaternionD.Between(skeleton.Rest(chain[j]), bone);
                    rotations[chain[j]] = turn;
                    total *= turn;
                }
            }

            result[t] = rotations;
        }

        return result;
    }

    private Vector3D[] ForwardKinematics(RotationMatrix[] rotations, Vector3D root, Vector3D[] offsets)
    {
        var pose = new Vector3D[Joints];
        pose[0] = root;
        foreach (var chain in skeleton.KinematicChain)
        {
            var total = rotations[0];
            for (var j = 1; j < chain.Length; j++)
            {
                total *= rotations[chain[j]];
                pose[chain[j]] = total * offsets[chain[j]] + pose[chain[j - 1]];
            }
        }

        return pose;
    }

    // A Gaussian of four sigmas to each side, the ends held.
    private static Vector3D[] Smoothed(Vector3D[] values, double sigma)
    {
        var radius = (int)(4 * sigma + 0.5);
        var weights = Enumerable.Range(-radius, 2 * radius + 1).Select(i => Math.Exp(-0.5 * i * i / (sigma * sigma))).ToArray();
        var sum = weights.Sum();
        return [.. values.Select((_, t) =>
        {
            var total = new Vector3D(0, 0, 0);
            for (var i = -radius; i <= radius; i++) total += weights[i + radius] / sum * values[Math.Clamp(t + i, 0, values.Length - 1)];
            return total;
        })];
    }
}
