"""What the detection notebook asks before its results. See `common.exercises.questions`."""

from common.exercises.questions import Question, asking

QUESTIONS = {
    "sizes": Question(
        "Every photo is scaled so that its faces measure about 32 pixels. What shape will the boxes around them have?",
        ("Wider than tall", "As wide as tall", "Taller than wide"), 2,
        "From forehead to chin is farther than from ear to ear. That is why the detector gives its boxes the mean height and width of the training faces later on."),
    "half": Question(
        "A box of 32 × 32 pixels slips sideways by half its width. How large is the IoU of the old box and the new one?",
        ("1/2", "1/3", "1/4"), 1,
        "They share 16 columns. Both together cover 48, not 32: 16 / 48 = 1/3. What only one of them covers, 16 columns on each side, counts in the union."),
    "inside": Question(
        "Eight negative boxes are drawn on one photo on its black canvas. Where will they lie?",
        ("Anywhere on the canvas", "Inside the photo, and nowhere near a face", "Inside the photo; a few may touch a face a little"), 2,
        "They keep off the black margin, which is too easy to tell from a face, and stay below an IoU of 0.1 with every face. Below 0.1 is not 0."),
    "patches": Question(
        "Every face gives three patches, and there are as many negative patches as positive ones. How many training patches come from F faces?",
        ("2 F", "3 F", "6 F"), 2,
        "3 F with a face in them and 3 F without."),
    "flatten": Question(
        "After two poolings the map has 8 × 8 cells and 64 channels. How many numbers does Flatten hand to the first dense layer?",
        ("64", "512", "4,096"), 2,
        "8 × 8 × 64 = 4,096. Each of them has a weight for each of the 128 units: 524,288 weights, nineteen in twenty of the whole network."),
    "changes": Question(
        "One patch is changed ten times. Which of these will you not see?",
        ("The face mirrored", "The face upside down", "The face darker", "The face a little to the side"), 1,
        "A change must be one that another photo might show. Faces that stand on their head are rare; a network that learns them has less room for the others."),
    "higher": Question(
        "In the first epochs: on which patches will the accuracy in the picture be higher?",
        ("On the training patches, for it has seen them", "On the validation patches", "It will be the same on both"), 1,
        "In training the patches are changed and dropout takes half of the numbers away: the exam is easier than the exercise. When the two curves cross the other way and "
        "drift apart, the network has begun to learn by heart."),
    "map": Question(
        "The FCNN gets a photo of 176 × 176 pixels. Its windows are 32 pixels wide and 4 apart. How many cells wide is its map?",
        ("44", "37", "36"), 1,
        "(176 − 32) / 4 + 1 = 37: the first window begins at pixel 0, the last one at pixel 144. 176 / 4 = 44 would count windows that reach over the edge."),
    "rounding": Question(
        "The FCNN and the classifier get the same window. How far apart will their probabilities be?",
        ("Not at all", "About a millionth", "About a hundredth"), 1,
        "They add up the same numbers in another order, and computers round. A hundredth would mean that one weight lies in a wrong place."),
    "untrained": Question(
        "The weights of a new network are random. What will its heat map of a photo look like?",
        ("Noise", "The same everywhere", "A blurred copy of the photo's light and dark", "Bright at the faces"), 2,
        "The same random sum is taken at every place, so what looks alike gets the same answer. Before training it knows light from dark, and nothing of faces."),
    "boxes": Question(
        "Every peak of the heat map becomes a box, however low it is. How many boxes will there be, beside the number of faces?",
        ("Fewer than faces", "About as many", "Many times as many"), 2,
        "A map has peaks everywhere, most of them far below zero. That is no fault: the threshold sorts them out, and only who keeps them all can draw the whole curve."),
    "overlap": Question(
        "The course score counts a box as a hit above an IoU of 0.1, AP@0.5 above 0.5. Which number will be greater?",
        ("The course score", "AP@0.5", "They are the same"), 0,
        "Who passes 0.5 passes 0.1 as well. The gap between the two says how many boxes sit on a face, but badly."),
    "whole": Question(
        "The scorer of the published course cuts the decision function to whole numbers. For which of these does the score fall most?",
        ("Logits, from about −20 to 20", "Probabilities, from 0 to 1", "Both alike"), 1,
        "Nearly all probabilities become 0, and the order of the boxes is lost: 0.91, 0.15 and 0.62 are all the same. Logits keep most of their order."),
    "strict": Question(
        "You drag the threshold down until 95 % of the faces are found instead of 85 %. What happens to the false alarms?",
        ("They become more", "They become fewer", "Their number stays"), 0,
        "A lower threshold lets every box through that a higher one does, and some more. The last faces are the dear ones: each costs more false alarms than the one before."),
    "exact": Question(
        "The threshold finds 85 % of the validation faces. What share of the test faces will it find?",
        ("Exactly 85 %", "Near 85 %, some points more or less", "Less than half"), 1,
        "Other photos, other faces: chance alone moves the share by three to five points, and one part of the photos may be a little easier than the other. "
        "Much less would mean that the detector had been fitted to the validation photos."),
    "mined": Question(
        "The network goes on training with the windows that fooled it. What will change most, when the threshold is set to find 85 % again?",
        ("Fewer false alarms", "More faces found", "Boxes that fit better"), 0,
        "It has learnt more ways not to be a face. Recall is set by the threshold, and the place of a box comes from the peak, which mining does not teach."),
}

ask = asking(QUESTIONS)
