namespace ModelZoo.Networks.Numerics;

/// <summary>The two skeletons of HumanML3D's features, as the authors' code has them.</summary>
public static class HumanMl3dSkeletons
{
    /// <summary>SMPL's 22 joints: HumanML3D.</summary>
    public static HumanMl3dSkeleton Human { get; } = new()
    {
        JointsNum = 22,
        LIdx1 = 5,
        LIdx2 = 8,
        FidR = [8, 11],
        FidL = [7, 10],
        FaceJointIndx = [2, 1, 17, 16],
        KinematicChain = [[0, 2, 5, 8, 11], [0, 1, 4, 7, 10], [0, 3, 6, 9, 12, 15], [9, 14, 17, 19, 21], [9, 13, 16, 18, 20]],
        RawOffsets = Offsets("0 x X y Y Y y Y Y y z z y x X z Y Y Y Y Y Y"),
    };

    /// <summary>The 21 joints of KIT-ML.</summary>
    public static HumanMl3dSkeleton Kit { get; } = new()
    {
        JointsNum = 21,
        LIdx1 = 17,
        LIdx2 = 18,
        FidR = [14, 15],
        FidL = [19, 20],
        FaceJointIndx = [11, 16, 5, 8],
        KinematicChain = [[0, 11, 12, 13, 14, 15], [0, 16, 17, 18, 19, 20], [0, 1, 2, 3, 4], [3, 5, 6, 7], [3, 8, 9, 10]],
        RawOffsets = Offsets("0 y y y y x Y Y X Y Y x Y Y z z X Y Y z z"),
        FeetThre = 0.05,
    };

    /// <summary>Names of the 22 joints.</summary>
    public static IReadOnlyList<string> HumanJoints { get; } =
    [
        "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle", "right_ankle", "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head",
        "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
    ];

    /// <summary>The skeleton of that many joints; null when it is neither.</summary>
    public static HumanMl3dSkeleton? Of(int joints) => joints == 22 ? Human : joints == 21 ? Kit : null;

    // A letter an axis, capitals against it.
    private static double[][] Offsets(string axes) => [.. axes.Split(' ').Select(axis => axis switch
    {
        "x" => (double[])[1, 0, 0],
        "X" => [-1, 0, 0],
        "y" => [0, 1, 0],
        "Y" => [0, -1, 0],
        "z" => [0, 0, 1],
        _ => [0, 0, 0],
    })];
}
