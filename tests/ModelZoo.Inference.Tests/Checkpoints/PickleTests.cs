using System.Text;
using ModelZoo.Contracts;

namespace ModelZoo.Inference.Tests.Checkpoints;

/// <summary>Hand-written pickles: what a hostile file would try.</summary>
public sealed class PickleTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory().FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("cos\nsystem\n(S'touch /tmp/owned'\ntR.", "os.system")]
    [InlineData("cposix\nsystem\n(S'id'\ntR.", "posix.system")]
    [InlineData("c__builtin__\neval\n(S'1'\ntR.", "__builtin__.eval")]
    [InlineData("cbuiltins\ngetattr\n.", "builtins.getattr")]
    [InlineData("ctorch.nn.modules.linear\nLinear\n)\x81.", "torch.nn.modules.linear.Linear")]
    [InlineData("ctorch\nload\n.", "torch.load")]
    public void Open_AnyOtherName_IsRefusedByName(string pickle, string name)
    {
        var error = Assert.Throws<CheckpointException>(() => Open("\x80\x02" + pickle));

        Assert.Equal((ErrorCodes.CheckpointForbidden, name), (error.Code, error.Found));
    }

    [Fact]
    public void Open_NameOnTheStack_IsRefusedToo()
    {
        var error = Assert.Throws<CheckpointException>(() => Open("\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02id\x85R."));

        Assert.Equal((ErrorCodes.CheckpointForbidden, "os.system"), (error.Code, error.Found));
    }

    [Theory]
    [InlineData("")]                            // ends at once
    [InlineData(".")]                           // nothing on the stack
    [InlineData("K\x01")]                       // no end
    [InlineData("h\x05.")]                      // recalls what was not kept
    [InlineData("R.")]                          // calls nothing
    [InlineData("K\x01K\x02R.")]                // calls a number
    [InlineData("u.")]                          // items without a dictionary
    [InlineData("}(K\x01u.")]                   // a key without a value
    [InlineData("B\xff\xff\xff\x7f.")]          // bytes longer than the file
    [InlineData("X\xff\xff\xff\xff.")]          // a negative length
    [InlineData("\xfe.")]                       // no such opcode
    [InlineData("ctorch._utils\n_rebuild_tensor_v2\n)R.")] // a tensor of nothing
    public void Open_DamagedPickle_IsMalformed(string pickle) =>
        Assert.Equal(ErrorCodes.CheckpointMalformed, Assert.Throws<CheckpointException>(() => Open("\x80\x02" + pickle)).Code);

    [Theory]
    [InlineData(@"Va\u0000\u00e9\n", "a\0é\\n")]
    [InlineData(@"S'tab\there\x21 \\ \''", "tab\there! \\ '")]
    public void Open_TextOfProtocol0_HasPythonsEscapes(string text, string expected)
    {
        using var checkpoint = Open($"(Vkey\n{text}\nd.");

        Assert.Equal(expected, checkpoint.Values["key"]);
    }

    [Fact]
    public void Open_DeepNesting_IsAnErrorAndNoCrash() =>
        Assert.Equal(ErrorCodes.CheckpointMalformed, Assert.Throws<CheckpointException>(() => Open("\x80\x02" + new string(']', 200_000) + new string('a', 199_999) + ".")).Code);

    [Fact]
    public void Open_ListThatHoldsItself_IsAnErrorAndNoHang() =>
        Assert.Equal(ErrorCodes.CheckpointMalformed, Assert.Throws<CheckpointException>(() => Open("\x80\x02]q\x00h\u0000a.")).Code);

    [Fact]
    public void Open_ListsThatDoubleEachTime_IsAnErrorAndNoHang()
    {
        var pickle = new StringBuilder("\x80\x02]q\x00");
        for (var i = 0; i < 60; i++) pickle.Append($"](h{(char)i}h{(char)i}eq{(char)(i + 1)}");

        Assert.Equal(ErrorCodes.CheckpointMalformed, Assert.Throws<CheckpointException>(() => Open(pickle + ".")).Code);
    }

    [Fact]
    public void Open_OmegaConf_IsReadAsItsContent()
    {
        // DictConfig whose _content is {"depth": AnyNode(_val=3), "levels": ListConfig(_content=[AnyNode(_val=8)])} and whose _parent is itself.
        const string Node = "comegaconf.nodes\nAnyNode\n)\x81}(X\x04\0\0\0_val";
        var levels = "comegaconf.listconfig\nListConfig\n)\x81}(X\x08\0\0\0_content](" + Node + "K\x08ubeub";
        var pickle = "\x80\x02}X\x03\0\0\0cfgcomegaconf.dictconfig\nDictConfig\n)\x81q\x01}(X\x08\0\0\0_content}(X\x05\0\0\0depth" + Node + "K\x03ubX\x06\0\0\0levels" + levels + "uX\x07\0\0\0_parenth\x01ubs.";

        using var checkpoint = Open(pickle);

        var config = Assert.IsAssignableFrom<IReadOnlyDictionary<string, object?>>(checkpoint.Values["cfg"]);
        Assert.Equal(3L, config["depth"]);
        Assert.Equal([8L], Assert.IsAssignableFrom<IReadOnlyList<object?>>(config["levels"]));
    }

    [Theory]
    [InlineData("K\x00", 4, "(K\x02t", "(K\x01t", true)]                   // two of four
    [InlineData("K\x03", 4, "(K\x02t", "(K\x01t", false)]                  // begins too late
    [InlineData("K\x00", 4, "(K\x02t", "(K\x05t", false)]                  // strides beyond the end
    [InlineData("K\x00", 4, "(J\xff\xff\xff\xfft", "(K\x01t", false)]      // a negative extent
    [InlineData("J\xff\xff\xff\xff", 4, "(K\x02t", "(K\x01t", false)]      // a negative offset
    [InlineData("K\x00", 4, "(K\x02K\x02t", "(K\x01t", false)]             // more extents than strides
    [InlineData("K\x00", 4, "(\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7ft", "(\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7ft", false)] // products that overflow
    [InlineData("K\x00", 64, "(K\x02t", "(K\x01t", false)]                 // a storage longer than its member
    public void Open_TensorOfAStorage_MustStayWithinIt(string offset, int count, string shape, string strides, bool fits)
    {
        var pickle = $"\x80\u0002ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\00X\x03\0\0\0cpuK{(char)count}tQ{offset}{shape}{strides}\x89NtR.";
        var path = Path.Combine(_folder, "model.pt");
        using (var zip = new System.IO.Compression.ZipArchive(File.Create(path), System.IO.Compression.ZipArchiveMode.Create))
        {
            using (var entry = zip.CreateEntry("model/data.pkl", System.IO.Compression.CompressionLevel.NoCompression).Open()) entry.Write(Encoding.Latin1.GetBytes(pickle));
            using (var entry = zip.CreateEntry("model/data/0", System.IO.Compression.CompressionLevel.NoCompression).Open()) entry.Write(new byte[16]);
        }

        if (fits)
        {
            using var checkpoint = Checkpoint.Open(path);
            Assert.Equal([0f, 0], checkpoint.Get("tensor").Span<float>().ToArray());
        }
        else
        {
            Assert.Equal(ErrorCodes.CheckpointMalformed, Assert.Throws<CheckpointException>(() => Checkpoint.Open(path)).Code);
        }
    }

    [Fact]
    public void Open_ArchiveThatClaimsToInflateToMore_IsRefused()
    {
        var bytes = File.ReadAllBytes(PyTorchFileTests.Data("arrays.npz"));
        for (var i = 0; i + 28 < bytes.Length; i++)
        {
            // The uncompressed size in each entry of the directory.
            if (bytes.AsSpan(i, 4).SequenceEqual("PK\x01\x02"u8)) BitConverter.TryWriteBytes(bytes.AsSpan(i + 24), int.MaxValue);
        }

        var path = Path.Combine(_folder, "bomb.npz");
        File.WriteAllBytes(path, bytes);

        Assert.Equal(ErrorCodes.CheckpointMalformed, Assert.Throws<CheckpointException>(() => Checkpoint.Open(path)).Code);
    }

    private Checkpoint Open(string latin)
    {
        var path = Path.Combine(_folder, "test.pkl");
        File.WriteAllBytes(path, Encoding.Latin1.GetBytes(latin));
        return Checkpoint.Open(path);
    }
}
