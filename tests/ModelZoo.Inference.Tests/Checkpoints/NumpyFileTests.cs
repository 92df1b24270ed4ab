using System.Text;
using ModelZoo.Contracts;

namespace ModelZoo.Inference.Tests.Checkpoints;

public sealed class NumpyFileTests : IDisposable
{
    private readonly string _path = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():N}.npy");

    public void Dispose() => File.Delete(_path);

    [Fact]
    public void Write_ReadBack_IsTheSame()
    {
        var tensor = Tensor.Create([1f, 2, 3, 4, 5, 6], 3, 1, 2);

        NumpyFile.Write(_path, tensor);
        var read = NumpyFile.Read(_path);

        Assert.Equal(tensor.ToString(), read.ToString());
        Assert.Equal(tensor.Bytes.ToArray(), read.Bytes.ToArray());
    }

    [Theory]
    [InlineData("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 8, null)]
    [InlineData("{'descr': '<f4', 'fortran_order': False, 'shape': (), }", 4, null)]
    [InlineData("{'descr': '>i2', 'fortran_order': False, 'shape': (2,), }", 4, null)]
    [InlineData("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", 8, "another number of bytes")]
    [InlineData("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4), }", 8, "too large")]
    [InlineData("{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }", 8, "another number of bytes")]
    [InlineData("{'descr': '|O', 'fortran_order': False, 'shape': (2,), }", 8, "not supported")]
    [InlineData("{'descr': '<U2', 'fortran_order': False, 'shape': (1,), }", 8, "texts")]
    [InlineData("{'descr': '<f4', 'shape': (2,), }", 8, "cannot be read")]
    public void Read_Header_IsChecked(string header, int bytes, string? problem)
    {
        File.WriteAllBytes(_path, [0x93, .. "NUMPY"u8, 1, 0, (byte)header.Length, 0, .. Encoding.ASCII.GetBytes(header), .. new byte[bytes]]);

        if (problem is null)
        {
            Assert.Equal(bytes, NumpyFile.Read(_path).Bytes.Length);
        }
        else
        {
            var error = Assert.Throws<CheckpointException>(() => NumpyFile.Read(_path));
            Assert.Equal(ErrorCodes.CheckpointMalformed, error.Code);
            Assert.Contains(problem, error.Message);
        }
    }
}
