using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using ModelZoo.Conformance;
using ModelZoo.Contracts;
using ModelZoo.Networks.Numerics;

namespace ModelZoo.Host.Media.Motions.Tests;

public sealed class MotionFilesTests
{
    private static async Task<Motion> SampleAsync() =>
        (await new MediaFiles().ReadAsync(Directory.GetFiles(Repository.Path("samples", "mmm-synthetic", "motions"), "*.npy").Order(StringComparer.Ordinal).First())).Expect<Motion>();

    private static string Write(Motion motion, string name)
    {
        using var stream = new MemoryStream();
        MediaFiles.Write(stream, motion, name);
        return Encoding.UTF8.GetString(stream.ToArray());
    }

    [Fact]
    public async Task Bvh_PlayedBack_PutsEveryJointInItsPlace()
    {
        var motion = await SampleAsync();
        var (joints, played) = (MotionJoints.Of(motion), new Hierarchy(Write(motion, "motion.bvh")));
        Assert.Equal(joints.Frames.Length, played.Frames.Count);
        Assert.Equal(1 / 20.0, played.FrameTime, 1e-9);
        for (var t = 0; t < joints.Frames.Length; t++)
        {
            var places = played.Play(t);
            Assert.Equal(joints.Count, places.Count);
            // Joints that the file names by where the bone to them ends; bones have their mean length there.
            for (var joint = 0; joint < joints.Count; joint++) Assert.True((places[HumanMl3dSkeletons.HumanJoints[joint]] / 100 - joints.Frames[t][joint]).Length < 0.005, $"frame {t}, {HumanMl3dSkeletons.HumanJoints[joint]}");
        }
    }

    [Fact]
    public async Task Joints_WrittenAsPositions_AreReadAsTheSameMotion()
    {
        var motion = await SampleAsync();
        var path = Path.Combine(Directory.CreateTempSubdirectory("motion-").FullName, "motion.joints.npy");
        await using (var stream = File.Create(path)) MediaFiles.Write(stream, motion, path);
        var again = (await new MediaFiles().ReadAsync(path)).Expect<Motion>();
        Assert.Equal("joints-22", again.Representation);
        var (a, b) = (MotionJoints.Of(motion), MotionJoints.Of(again));
        for (var t = 0; t < a.Frames.Length; t++) Assert.True((a.Frames[t][20] - b.Frames[t][20]).Length < 1e-5);
        Directory.Delete(Path.GetDirectoryName(path)!, recursive: true);
    }

    [Fact]
    public async Task Page_OfAMotion_HasEveryFrameAndAsksTheNetworkForNothing()
    {
        var motion = await SampleAsync();
        var html = Write(motion, "a <b> motion.html");
        Assert.Contains("a &lt;b&gt; motion", html, StringComparison.Ordinal);
        Assert.DoesNotMatch(new Regex("(src|href)=|https?:|@import|fetch\\(", RegexOptions.IgnoreCase), html);
        var data = Convert.FromBase64String(Regex.Match(html, "<script type=\"text/plain\">([^<]*)</script>").Groups[1].Value);
        Assert.Equal((int)motion.Features.Shape[0] * 22 * 3 * 2, data.Length);
        Assert.Equal((short)Math.Round(MotionJoints.Of(motion).Frames[0][15].Y * 1000), BitConverter.ToInt16(data, (15 * 3 + 1) * 2));
    }

    [Fact]
    public void Motion_OfUnknownJoints_IsRefused()
    {
        var motion = new Motion(Tensor.Zeros<float>(4, 77), 20, "features-77");
        foreach (var name in (string[])["x.html", "x.bvh", "x.joints.npy"]) Assert.Equal(ErrorCodes.MediaUnsupported, Assert.Throws<MediaException>(() => Write(motion, name)).Code);
    }

    // A reader of the format as animation programs have it, written apart from the writer.
    private sealed class Hierarchy
    {
        private readonly List<Node> _nodes = [];

        public Hierarchy(string text)
        {
            var lines = text.Split('\n').Select(line => line.Trim()).ToArray();
            var (open, channels) = (new Stack<Node?>(), 0);
            Node? next = null;
            var motion = Array.IndexOf(lines, "MOTION");
            foreach (var line in lines[1..motion])
            {
                var words = line.Split(' ');
                switch (words[0])
                {
                    case "ROOT" or "JOINT" or "End":
                        next = new(words[0] == "End" ? null : words[1], open.FirstOrDefault());
                        _nodes.Add(next);
                        break;
                    case "{":
                        open.Push(next);
                        break;
                    case "}":
                        open.Pop();
                        break;
                    case "OFFSET":
                        open.Peek()!.Offset = new(Number(words[1]), Number(words[2]), Number(words[3]));
                        break;
                    case "CHANNELS":
                        (open.Peek()!.Channel, channels) = (channels, channels + int.Parse(words[1], CultureInfo.InvariantCulture));
                        break;
                }
            }

            FrameTime = Number(lines[motion + 2].Split(' ')[^1]);
            Frames = [.. lines[(motion + 3)..].Where(line => line.Length > 0).Select(line => line.Split(' ').Select(Number).ToArray())];
            Assert.All(Frames, frame => Assert.Equal(channels, frame.Length));
        }

        public double FrameTime { get; }

        public List<double[]> Frames { get; }

        public Dictionary<string, Vector3D> Play(int frame)
        {
            var (values, places) = (Frames[frame], new Dictionary<string, Vector3D>());
            foreach (var node in _nodes)
            {
                var (parent, root) = (node.Parent, node.Parent is null);
                node.Place = root ? new(values[0], values[1], values[2]) : parent!.Place + parent.World * node.Offset;
                if (node.Name is not null)
                {
                    var first = node.Channel + (root ? 3 : 0);
                    var own = About(2, values[first]) * About(0, values[first + 1]) * About(1, values[first + 2]);
                    node.World = root ? own : parent!.World * own;
                }

                if (root) places["pelvis"] = node.Place;
                // A node stands where the bone before it ends; an end site where its own parent's bone does.
                else if (parent!.Name!.Split("_to_") is [_, var end]) places[end] = node.Place;
            }

            return places;
        }

        private static RotationMatrix About(int axis, double degrees)
        {
            var half = degrees * Math.PI / 360;
            var s = Math.Sin(half);
            return RotationMatrix.From(new(Math.Cos(half), axis == 0 ? s : 0, axis == 1 ? s : 0, axis == 2 ? s : 0));
        }

        private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);

        private sealed class Node(string? name, Node? parent)
        {
            public string? Name => name;
            public Node? Parent => parent;
            public Vector3D Offset { get; set; }
            public int Channel { get; set; }
            public Vector3D Place { get; set; }
            public RotationMatrix World { get; set; }
        }
    }
}
