using System.Globalization;
using System.Text;
using ModelZoo.Contracts;
using ModelZoo.Networks.Numerics;

namespace ModelZoo.Host.Media.Motions;

/// <summary>
/// Writes motions as Biovision hierarchies, which animation programs read. Bones have their mean length; each turns by the smallest swing from where its parent takes it, so that nothing twists by itself. A joint with several bones has a
/// turning point for each at its place.
/// </summary>
internal static class BvhFile
{
    private const double Centimetres = 100;

    /// <summary>Writes a motion.</summary>
    /// <exception cref="MediaException">Its skeleton is not known.</exception>
    public static void Write(Stream output, Motion motion)
    {
        var joints = MotionJoints.Of(motion);
        if (joints.Skeleton is not { } skeleton) throw new MediaException(ErrorCodes.MediaUnsupported, "A hierarchy needs a known skeleton.") { Expected = "21 or 22 joints", Found = $"{joints.Count}" };
        var body = new Body(joints, skeleton);
        using var writer = new StreamWriter(output, new UTF8Encoding(false), leaveOpen: true) { NewLine = "\n" };
        writer.WriteLine("HIERARCHY");
        body.WriteHierarchy(writer);
        writer.WriteLine("MOTION");
        writer.WriteLine($"Frames: {joints.Frames.Length}");
        writer.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Frame Time: {1 / joints.FrameRate:0.#######}"));
        foreach (var pose in joints.Frames) writer.WriteLine(string.Join(' ', body.Channels(pose).Select(Number)));
    }

    private static string Number(double value) => value.ToString("0.######", CultureInfo.InvariantCulture);

    private sealed class Body
    {
        private readonly int[][] _children;
        private readonly Vector3D[] _rest;
        private readonly string[] _names;

        public Body(MotionJoints joints, HumanMl3dSkeleton skeleton)
        {
            var parents = joints.Parents();
            _children = [.. Enumerable.Range(0, joints.Count).Select(joint => Enumerable.Range(0, joints.Count).Where(child => parents[child] == joint).ToArray())];
            _rest = [.. Enumerable.Range(0, joints.Count).Select(joint =>
            {
                var direction = skeleton.RawOffsets[joint];
                var length = parents[joint] < 0 ? 0 : joints.Frames.Average(pose => (pose[joint] - pose[parents[joint]]).Length);
                return length * new Vector3D(direction[0], direction[1], direction[2]);
            })];
            _names = joints.Count == 22 ? [.. HumanMl3dSkeletons.HumanJoints] : [.. Enumerable.Range(0, joints.Count).Select(joint => $"joint_{joint}")];
        }

        public void WriteHierarchy(TextWriter writer)
        {
            writer.WriteLine($"ROOT {_names[0]}");
            Braces(writer, 0, "CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation", new(0, 0, 0), () => WriteBones(writer, 0, 1));
        }

        /// <summary>The numbers of a frame, in the order of the hierarchy.</summary>
        public IEnumerable<double> Channels(Vector3D[] pose)
        {
            var values = new List<double> { pose[0].X * Centimetres, pose[0].Y * Centimetres, pose[0].Z * Centimetres };
            // The pelvis faces where the hips face.
            var across = pose[1] - pose[2];
            var facing = Facing(across);
            values.AddRange(Angles(facing));
            Turn(0, facing);
            return values;

            void Turn(int joint, QuaternionD world)
            {
                foreach (var child in _children[joint])
                {
                    var bone = pose[child] - pose[joint];
                    var swung = bone.Length > 1e-9 && _rest[child].Length > 1e-9 ? QuaternionD.Between(world.Rotate(_rest[child]).Normalized, bone.Normalized) * world : world;
                    values.AddRange(Angles(world.Conjugate * swung));
                    Turn(child, swung);
                }
            }
        }

        // Yaw of the direction across the hips, from right to left.
        private QuaternionD Facing(Vector3D across)
        {
            var flat = across with { Y = 0 };
            if (_rest.Length != 22 || flat.Length < 1e-9) return QuaternionD.Identity;
            var half = Math.Atan2(-flat.Z, flat.X) / 2;
            return new(Math.Cos(half), 0, Math.Sin(half), 0);
        }

        // Each bone: a joint at its start that turns it, and what hangs at its end.
        private void WriteBones(TextWriter writer, int joint, int depth)
        {
            foreach (var child in _children[joint])
            {
                Line(writer, depth, $"JOINT {_names[joint]}_to_{_names[child]}");
                Braces(writer, depth, "CHANNELS 3 Zrotation Xrotation Yrotation", OffsetOf(joint), () =>
                {
                    if (_children[child].Length > 0)
                    {
                        WriteBones(writer, child, depth + 1);
                        return;
                    }

                    Line(writer, depth + 1, "End Site");
                    Line(writer, depth + 1, "{");
                    Line(writer, depth + 2, Offset(_rest[child]));
                    Line(writer, depth + 1, "}");
                });
            }
        }

        // A turning point stands at its joint: as far from the turning point before it as the bone between them is long.
        private Vector3D OffsetOf(int joint) => joint == 0 ? new(0, 0, 0) : _rest[joint];

        private static void Braces(TextWriter writer, int depth, string channels, Vector3D offset, Action inside)
        {
            Line(writer, depth, "{");
            Line(writer, depth + 1, Offset(offset));
            Line(writer, depth + 1, channels);
            inside();
            Line(writer, depth, "}");
        }

        private static string Offset(Vector3D offset) => $"OFFSET {Number(offset.X * Centimetres)} {Number(offset.Y * Centimetres)} {Number(offset.Z * Centimetres)}";

        private static void Line(TextWriter writer, int depth, string text) => writer.WriteLine(new string('\t', depth) + text);

        // Degrees of R = Rz Rx Ry.
        private static IEnumerable<double> Angles(QuaternionD turn)
        {
            var m = RotationMatrix.From(turn.Normalized);
            const double Degrees = 180 / Math.PI;
            yield return Math.Atan2(-m[0, 1], m[1, 1]) * Degrees;
            yield return Math.Asin(Math.Clamp(m[2, 1], -1, 1)) * Degrees;
            yield return Math.Atan2(-m[2, 0], m[2, 2]) * Degrees;
        }
    }
}
