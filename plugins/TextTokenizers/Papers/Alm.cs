// Cross-Tokenizer Distillation via Approximate Likelihood Matching. Minixhofer, Vulić, Ponti. arXiv:2503.20083. github.com/bminixhofer/tokenkit
// Published layout: teacher/tokenizer.json and student/tokenizer.json. Deviations: the distillation itself is not here; tokens that models write differently (chat marks) are not exchanged.
using System.Text.Json;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>Aligns two tokenizations of a text into chunks of equal text, and compares a teacher's and a student's likelihood of each.</summary>
internal static class Alm
{
    private const char Space = '\u0120';

    public static ModelArchitecture Architecture { get; } = Paper.Row(
        Paper.Analysis("alm", "Cross-Tokenizer Distillation via Approximate Likelihood Matching", "2503.20083", ["Benjamin Minixhofer", "Ivan Vulić", "Edoardo Maria Ponti"], "bminixhofer/tokenkit", "Apache-2.0")
            with { Inputs = [Modality.Text, Modality.Tensors], Layouts = ["teacher/tokenizer.json + student/tokenizer.json"], Deviations = "Alignment and loss; no training, no exchange of chat marks. Where the end of a text stands for white space (eos_as_space), its ids come with the line (teacher_eos_id, student_eos_id)." },
        source =>
        {
            var tokenizers = new TokenizerSet(source);
            return new PaperModel(source)
                .OnLines("align", line =>
                {
                    var (teacher, student) = (Tokens(tokenizers["teacher/tokenizer.json"], line.Ints("teacher_ids")), Tokens(tokenizers["student/tokenizer.json"], line.Ints("student_ids")));
                    var chunks = Align(teacher, student);
                    return Line.Of(("unconstrained", chunks.Select(Pair)), ("space", JoinAtSpaces(chunks, teacher, student).Select(Pair)));
                })
                .On("loss", arguments =>
                {
                    var tensors = arguments.TensorTable("tensors");
                    return new CallResults().Add("lines", [.. arguments.Lines("lines").Select(line => Loss(tensors, line))]);
                });
        });

    /// <summary>The finest chunks whose ends coincide in both. White space in front that one of them lacks is added to its first token.</summary>
    public static List<Chunk> Align(string[] teacher, string[] student)
    {
        var (teacherSpaces, studentSpaces) = (LeadingSpaces(teacher), LeadingSpaces(student));
        if (teacher.Length > 0 && studentSpaces > teacherSpaces) teacher[0] = new string(Space, studentSpaces - teacherSpaces) + teacher[0];
        if (student.Length > 0 && teacherSpaces > studentSpaces) student[0] = new string(Space, teacherSpaces - studentSpaces) + student[0];
        var chunks = new List<Chunk>();
        var (i, j, startI, startJ, lengthI, lengthJ) = (0, 0, 0, 0, 0, 0);
        while (i < teacher.Length && j < student.Length)
        {
            var (nextI, nextJ) = (lengthI + teacher[i].Length, lengthJ + student[j].Length);
            if (nextI <= nextJ) (lengthI, i) = (nextI, i + 1);
            if (nextJ <= nextI) (lengthJ, j) = (nextJ, j + 1);
            if (nextI != nextJ) continue;
            if (string.Concat(teacher[startI..i]) == string.Concat(student[startJ..j])) chunks.Add(new(startI, i, startJ, j));
            (startI, startJ) = (i, j);
        }

        return chunks;
    }

    /// <summary>Chunks joined until both sides go on with white space.</summary>
    public static List<Chunk> JoinAtSpaces(List<Chunk> chunks, string[] teacher, string[] student)
    {
        var joined = new List<Chunk>();
        var open = false;
        foreach (var chunk in chunks)
        {
            if (open) joined[^1] = joined[^1] with { TeacherEnd = chunk.TeacherEnd, StudentEnd = chunk.StudentEnd };
            else joined.Add(chunk);
            open = !(chunk.TeacherEnd < teacher.Length && chunk.StudentEnd < student.Length && teacher[chunk.TeacherEnd].StartsWith(Space) && student[chunk.StudentEnd].StartsWith(Space));
        }

        return joined;
    }

    private static JsonElement Loss(IReadOnlyDictionary<string, Tensor> tensors, JsonElement line)
    {
        var settings = AlmSettings.Read(line);
        var (teacher, student) = (AlmSide.Read(tensors, "teacher"), AlmSide.Read(tensors, "student"));
        CheckEnd(settings.TeacherEnd, teacher, "teacher_eos_id");
        CheckEnd(settings.StudentEnd, student, "student_eos_id");
        return Line.Of(("loss", new AlmLoss(settings).Compute(teacher, student)));
    }

    private static void CheckEnd(int? id, AlmSide side, string name)
    {
        if (id is { } end && (uint)end >= side.Logprobs.Shape[2])
            throw new ModelZooException(ErrorCodes.TokensInvalid, "The end of a text is no token of the vocabulary.") { Where = name, Expected = $"0..{side.Logprobs.Shape[2] - 1}", Found = $"{end}" };
    }

    private static string[] Tokens(PipelineTokenizer tokenizer, int[] ids) => [.. ids.Select(id => tokenizer.TokenOf(id) ?? "")];

    private static int LeadingSpaces(string[] tokens) => tokens.SelectMany(token => token).TakeWhile(letter => letter == Space).Count();

    private static (int[], int[]) Pair(Chunk chunk) => ([chunk.TeacherStart, chunk.TeacherEnd], [chunk.StudentStart, chunk.StudentEnd]);

    /// <summary>Tokens of the teacher and of the student that spell the same text.</summary>
    internal sealed record Chunk(int TeacherStart, int TeacherEnd, int StudentStart, int StudentEnd);
}
